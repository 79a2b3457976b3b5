import assert from 'node:assert/strict'
import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {chmod, mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {FRONT_DOOR} from '../../support/cli.js'
import {type EnvironmentCli, plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

const noMapped = await whyNotMapped()

for (const identity of ['emulated', 'mapped'] as const) {
  const options = identity === 'mapped' ? {skip: noMapped} : {}
  test(
    `the worker of a create that is killed goes, even one that stands still, ${identity}`,
    options,
    async (t) => {
      const cli = await plainCli(t)
      // Its archive never comes: the worker waits for it.
      const envs = startEnvs(t, cli, ['create', '-', '--name', 'play', '--identity', identity])
      const worker = await waitUntil('a worker that reads the archive', () => childOf(envs, /rootfs-worker/))
      process.kill(worker, 'SIGSTOP')
      await killAndWait(envs)
      await waitUntil('the end of the worker', async () => !(await lives(worker)))
    },
  )
}

test('a program of the host that copies for a clone that is killed goes too', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  assert.equal((await cli.run('create', path, '--identity', 'emulated')).status, 0)
  const programs = join(cli.home, 'programs')
  await mkdir(programs)
  await writeFile(join(programs, 'cp'), '#!/bin/sh\nexec sleep 1000\n')
  await chmod(join(programs, 'cp'), 0o755)
  const envs = startEnvs(t, cli, ['clone', 'tiny', 'copy'], {PATH: `${programs}:${cli.env['PATH']}`})
  const copier = await waitUntil('a program that copies', () => childOf(envs, /^sleep\0/))
  await killAndWait(envs)
  await waitUntil('the end of the program', async () => !(await lives(copier)))
})

function startEnvs(
  t: TestContext,
  {env, home}: EnvironmentCli,
  argv: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn(FRONT_DOOR, argv, {
    cwd: home,
    env: {...env, ...variables},
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function killAndWait(envs: ChildProcess): Promise<void> {
  envs.kill('SIGKILL')
  await once(envs, 'exit')
}

async function childOf({pid}: ChildProcess, program: RegExp): Promise<number | undefined> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const status = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '')
    if (!status.includes(`\nPPid:\t${pid}\n`)) continue
    const words = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')
    if (program.test(words) && !words.includes('die-with-parent')) return Number(entry)
  }
  return undefined
}

/** One that nobody has waited for yet is gone. */
async function lives(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return status !== '' && !/^State:\s+Z/m.test(status)
}

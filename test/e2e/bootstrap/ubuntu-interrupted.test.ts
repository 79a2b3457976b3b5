import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Archive} from '../../support/archive.js'
import {sha256Of} from '../../support/archive-pocket.js'
import {BOOTSTRAP_STAGES, type BootstrapStage} from '../../support/bootstrap-stages.js'
import {NOT_AS_INSTALLED} from '../../support/bootstrapped.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {quoted} from '../../support/guest.js'
import {leftBehind} from '../../support/left-behind.js'
import {type GroupRun, startGroup} from '../../support/process-group.js'
import {runInTerminal} from '../../support/terminal.js'
import {openUbuntu, realPackages} from '../../support/ubuntu-packages.js'

const packages = realPackages()

/** A kill leaves more to go on from than Ctrl-C only while files are written: packages, the tree, the image. */
for (const [what, signal, status, stages] of [
  ['Ctrl-C in any stage', 'SIGINT', 130, BOOTSTRAP_STAGES],
  [
    'kill -9 in a stage that writes',
    'SIGKILL',
    null,
    BOOTSTRAP_STAGES.filter(({name}) => ['last packages', 'unpack', 'pack'].includes(name)),
  ],
] as const) {
  test(`after ${what} the same command goes on from what was verified`, async (t) => {
    const {archive, cli} = await given(t)
    for (const stage of stages) {
      const before = await verified(archive, cli)
      const requests = archive.requested().length
      const ended = await interrupted(stage, signal, {archive, cli})
      assert.equal(ended.status, status, stage.name)
      if (signal === 'SIGINT') {
        assert.deepEqual(await leftBehind(cli), [], stage.name)
        assert.match(ended.stderr, TOLD_KEPT[stage.name] ?? /^$/, stage.name)
      }
      const repeated = archive
        .requested()
        .slice(requests)
        .filter((path) => before.has(path))
      assert.deepEqual(repeated, [], stage.name)
    }
    const requests = archive.requested().length
    const created = await cli.run('create', 'noble/archive', '--name', 'made', '--quiet')
    assert.equal(created.status, 0, created.stderr)
    assert.deepEqual(archive.requested().slice(requests).filter(isPackage), [])
    const unfinished = (await leftBehind(cli)).filter((path) => basename(path).startsWith('.'))
    assert.deepEqual(unfinished, [])
    const {stdout} = await cli.run('run', 'made', '--', 'sh', '-c', NOT_AS_INSTALLED)
    assert.equal(stdout, '')
  })
}

test('a terminal shows how many packages are configured, and after Ctrl-C what is kept', async (t) => {
  const {cli} = await given(t)
  const command = `${quoted(cli.words)} create noble/archive --name made`
  const {status, screen} = await runInTerminal(command, {
    // Else there is no live display.
    env: {...cli.env, CI: ''},
    typed: [{after: ' packages configured', send: '\x03'}],
  })
  assert.equal(status, 130, screen)
  assert.match(screen, /\d+ of \d+ packages configured/)
  assert.match(
    screen,
    /envs: Interrupted by SIGINT\.\r\n {2}The package indices and all \d+ packages are kept: the same command continues/,
  )
  assert.deepEqual(await leftBehind(cli), [])
})

async function given(t: TestContext): Promise<{archive: Archive; cli: EnvironmentCli}> {
  const archive = await openUbuntu(t, 'noble', {packages: await packages(t, 'zstd')})
  return {archive, cli: await environmentCli(t, archive.variables)}
}

/** What is kept of each stage; before the packages, what has come by then is chance. */
const TOLD_KEPT: Readonly<Record<string, RegExp>> = {
  release: told('(The downloaded part is kept.*)?'),
  indices: told('(The downloaded part is kept.*)?'),
  'first packages': told('The package indices( and [1-9]\\d* of \\d+ packages)? are kept.*'),
  'last packages': told('The package indices and [1-9]\\d* of \\d+ packages are kept.*'),
  unpack: told('The package indices( and (all|\\d+ of) \\d+ packages)? are kept.*'),
  configure: told('The package indices and all \\d+ packages are kept.*'),
  pack: told('The package indices and all \\d+ packages are kept.*'),
}

function told(kept: string): RegExp {
  return new RegExp(`^envs: Interrupted by SIGINT\\.\n( {2}${kept}\n)?$`)
}

async function interrupted(
  stage: BootstrapStage,
  signal: NodeJS.Signals,
  {archive, cli}: {archive: Archive; cli: EnvironmentCli},
): Promise<Awaited<GroupRun['ended']>> {
  const over = new AbortController()
  const reached = stage.reach(archive, cli, over.signal)
  const run = startGroup(cli, ['create', 'noble/archive', '--name', 'made', '--quiet'])
  const ending = run.ended.then(({stderr}) => assert.fail(`it ended before ${stage.name}: ${stderr}`))
  await Promise.race([reached, ending]).finally(() => over.abort())
  ending.catch(() => {})
  run.signalGroup(signal)
  return run.ended
}

/** Paths of packages that are here whole. */
async function verified(archive: Archive, cli: EnvironmentCli): Promise<Set<string>> {
  const folder = join(cli.env['XDG_CACHE_HOME'] ?? '', 'envs/packages')
  const names = await readdir(folder, {recursive: true}).catch(() => [])
  const digests = new Set(names.map((name) => name.replace(/^.*\//, '')))
  const here = [...archive.files].filter(([path, body]) => isPackage(path) && digests.has(sha256Of(body)))
  return new Set(here.map(([path]) => path))
}

const isPackage = (path: string): boolean => path.endsWith('.deb')

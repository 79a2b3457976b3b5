import assert from 'node:assert/strict'
import {chmod, mkdir, rename, symlink} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {FRONT_DOOR, NODE_PROGRAM, type SandboxedCli, sandboxedCli} from '../../support/cli.js'
import {whyNotMapped} from '../../support/environment-cli.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const noMapped = await whyNotMapped()

for (const [what, folder] of [
  ['data', (home: string) => join(home, '.local/share/envs')],
  ['settings', (home: string) => join(home, '.config/envs')],
  ['caches', (home: string) => join(home, '.cache/envs')],
] as const) {
  for (const mode of [0o770, 0o707]) {
    test(`a folder of ${what} with mode ${mode.toString(8)} is refused, until it is closed as the error says`, async (t) => {
      const cli = await ownHome(t)
      const path = folder(cli.home)
      await mkdir(path, {recursive: true, mode: 0o700})
      await chmod(path, mode)
      await assertRefused(cli, 'list', path)
      const remedy = (await cli.run('list')).stderr
        .split('\n')
        .find((line) => line.includes('chmod'))
        ?.trim()
      assert.equal(remedy, `chmod go-w ${path}`)
      assert.equal((await capture(['sh', '-c', remedy])).status, 0)
      assert.equal((await cli.run('list')).status, 0)
    })
  }
}

test('a session of a store that others can write to is refused, through either door', async (t) => {
  const cli = await ownHome(t)
  const path = join(cli.home, '.local/share/envs')
  await mkdir(path, {recursive: true})
  await chmod(path, 0o777)
  for (const door of [NODE_PROGRAM, FRONT_DOOR]) {
    const ran = await capture(
      [...(door === NODE_PROGRAM ? [process.execPath] : []), door, 'run', 'play', 'true'],
      {
        env: {...cli.env},
      },
    )
    assert.equal(ran.status, 125)
    assert.match(ran.stderr, /not safe from other users/)
  }
})

test('a store that is not made yet is refused where anybody could make it', async (t) => {
  const cli = await ownHome(t)
  await mkdir(join(cli.home, '.local/share'), {recursive: true})
  await chmod(join(cli.home, '.local/share'), 0o777)
  await assertRefused(cli, 'list', join(cli.home, '.local/share'))
})

test('folders that are open to the user’s own group, and to all with the sticky bit, may hold a store', async (t) => {
  const cli = await ownHome(t)
  await mkdir(join(cli.home, '.local/share'), {recursive: true})
  await chmod(join(cli.home, '.local/share'), 0o775)
  assert.deepEqual(await listed(cli), {status: 0, stderr: ''})
  await chmod(join(cli.home, '.local/share'), 0o1777)
  assert.deepEqual(await listed(cli), {status: 0, stderr: ''})
})

test('symlinks of the user’s own lead a store to another disk', async (t) => {
  const cli = await ownHome(t)
  const disk = await temporaryFolder(t)
  await mkdir(join(cli.home, '.local/share/envs/environments'), {recursive: true, mode: 0o700})
  await rename(join(cli.home, '.local/share/envs'), join(disk, 'envs'))
  await symlink(join(disk, 'envs'), join(cli.home, '.local/share/envs'))
  assert.deepEqual(await listed(cli), {status: 0, stderr: ''})
  await rename(join(cli.home, '.local/share'), join(disk, 'share'))
  await symlink(join(disk, 'share'), join(cli.home, '.local/share'))
  assert.deepEqual(await listed(cli), {status: 0, stderr: ''})
  await chmod(join(disk, 'envs'), 0o777)
  await assertRefused(cli, 'list', join(disk, 'envs'))
})

test('symlinks that lead around in a circle are told', async (t) => {
  const cli = await ownHome(t)
  await mkdir(join(cli.home, '.local/share'), {recursive: true})
  await symlink('envs', join(cli.home, '.local/share/envs'))
  await assertRefused(cli, 'list', join(cli.home, '.local/share/envs'))
})

for (const [what, plant] of [
  ['made no store yet', 'true'],
  ['has a store of its own', 'mkdir -p "$1"; chown -R 1000:1000 "$1"'],
  ['links its store to a folder of root’s', 'mkdir "$1".root; ln -s "$1".root "$1"; chown -h 1000:1000 "$1"'],
  ['moved a folder of root’s to there', 'mkdir "$1"'],
] as const) {
  test(`root with the home of a user who ${what} is refused, and nothing is made`, {
    skip: noMapped,
  }, async (t) => {
    const cli = await ownHome(t)
    const path = join(cli.home, '.local/share/envs')
    await mkdir(dirname(path), {recursive: true})
    const script = [
      plant,
      'chown 1000:1000 "$2" "$2"/.local "$2"/.local/share',
      'shift 2',
      '"$@"; status=$?',
      // Given back for the end of the test.
      `chown -hR 0:0 ${cli.home}`,
      'exit $status',
    ].join('\n')
    const asRoot = ['unshare', '--map-auto', '--map-root-user', '--', 'sh', '-c', script, 'sh']
    const ran = await capture([...asRoot, path, cli.home, FRONT_DOOR, 'create', '--json', 'play'], {
      env: {...cli.env},
    })
    assert.match(ran.stdout, /ENVS_STORE_UNSAFE/, ran.stderr)
    const made = await capture(['find', cli.home, '-name', 'environments'])
    assert.equal(made.stdout, '')
  })
}

/** Its folders are found by HOME alone, as most users have it. */
async function ownHome(t: Parameters<typeof sandboxedCli>[0]): Promise<SandboxedCli> {
  return sandboxedCli(t, [], {XDG_DATA_HOME: '', XDG_CONFIG_HOME: '', XDG_CACHE_HOME: ''})
}

async function listed(cli: SandboxedCli): Promise<{status: number | null; stderr: string}> {
  const {status, stderr} = await cli.run('list', '--quiet')
  return {status, stderr}
}

async function assertRefused(cli: SandboxedCli, command: string, path: string): Promise<void> {
  const ran = await cli.run(command, '--json')
  const {error} = JSON.parse(ran.stdout)
  assert.equal(error?.code, 'ENVS_STORE_UNSAFE', ran.stderr)
  assert.equal(ran.status, 6)
  assert.ok(error.message.includes(path), error.message)
}

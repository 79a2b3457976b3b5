import assert from 'node:assert/strict'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {plainCli} from '../../support/environment-cli.js'
import {canSimulate} from '../../support/simulated-host.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const why = (await canSimulate()) ? undefined : 'no user namespace for a small disk'

for (const {what, options, code} of [
  {what: 'too few bytes', options: 'size=4m', code: 'ENVS_STORAGE_FULL'},
  {what: 'too few inodes', options: 'size=64m,nr_inodes=200', code: 'ENVS_STORAGE_FULL'},
  {what: 'no room for the store itself', options: 'size=1m,nr_inodes=2', code: 'ENVS_NO_SPACE'},
]) {
  test(`create on a disk with ${what} says so, and leaves nothing`, async (t) => {
    if (why !== undefined) return t.skip(why)
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t, {files: 1000})
    const run = await cli.runBehind(
      onDisk(options, cli.data),
      'create',
      path,
      '--identity',
      'emulated',
      '--json',
    )
    assert.equal(run.status, 8, run.stderr)
    const {error} = JSON.parse(run.stdout)
    assert.equal(error.code, code)
    assert.deepEqual(error.suggestions, [
      'Free some space, with this command for example: envs prune',
      'Or set ENVS_HOME to a folder on another disk.',
    ])
    assert.equal(await readFile(join(cli.home, 'left'), 'utf8'), '')
  })
}

test('create in a store that can not be written names the path', async (t) => {
  if (why !== undefined) return t.skip(why)
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const run = await cli.runBehind(onDisk('ro', cli.data), 'create', path)
  assert.deepEqual([run.status, run.stdout], [8, ''])
  assert.deepEqual(run.stderr.split('\n'), [
    `envs: Could not access "${cli.store}": read-only file system.`,
    '  Check the permissions of the path and the state of its disk, or set ENVS_HOME to another folder.',
    '',
  ])
})

test('create where a file stands in the place of the store names it', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await writeFile(join(cli.home, 'data'), '')
  const run = await cli.run('create', path, '--json')
  assert.equal(run.status, 8)
  assert.equal(JSON.parse(run.stdout).error.message, `Could not access "${cli.store}": not a directory.`)
})

test('create leaves a folder that is no environment alone', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await mkdir(join(cli.store, 'tiny'), {recursive: true})
  await writeFile(join(cli.store, 'tiny', 'mine'), 'mine')
  const run = await cli.run('create', path, '--json')
  assert.equal(run.status, 4)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_FOLDER_TAKEN')
  assert.equal(await readFile(join(cli.store, 'tiny', 'mine'), 'utf8'), 'mine')
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

test('list works from a folder that is no more', async (t) => {
  const cli = await plainCli(t)
  const run = await cli.runBehind(
    ['sh', '-c', 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', 'sh'],
    'list',
    '--json',
  )
  assert.deepEqual([run.status, run.stdout], [0, '[]\n'])
})

/** Words before a command whose store is to lie on a small disk of its own; what it leaves there is in `left`. */
function onDisk(options: string, data: string): string[] {
  const script = `mkdir -p "$0" && mount -t tmpfs -o mode=700,${options} tmpfs "$0" || exit 99
    status=0; "$@" || status=$?
    ls -A "$0/environments" >left 2>/dev/null || true
    exit $status`
  return ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, data]
}

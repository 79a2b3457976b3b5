import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {debianRootfs} from '../support/debian-rootfs.js'
import {byNode} from '../support/front-door.js'
import {sharedGuest} from '../support/guest.js'
import {loadedBy} from '../support/loaded-modules.js'
import {temporaryFolder} from '../support/temporary-folder.js'

const play = sharedGuest('emulated')
const create = ['create', await debianRootfs(), '--identity', 'emulated', '--quiet', '--name'] as const

/**
 * What a start of Node reads and runs, in kB of our build, with a tenth to spare: what a module costs at each start is not
 * seen in a review. Which modules there are may change; a command that needs more is to be meant.
 */
for (const [title, first, argv, most] of [
  ['envs --version', ['list'], ['--version'], {read: 570, run: 17, of: []}],
  // Its size is known by then.
  ['envs list', ['list'], ['list'], {read: 570, run: 102, of: ['valibot']}],
  // It is running by then.
  [
    'envs run play true',
    ['run', 'play', 'true'],
    ['run', 'play', 'true'],
    {read: 570, run: 102, of: ['valibot']},
  ],
  ['envs enter play', ['run', 'play', 'true'], ['enter', 'play'], {read: 570, run: 102, of: ['valibot']}],
  // Its image's layer is there by then. Of tar, it runs what reads a header; of oclif, what parses a command line.
  [
    'envs create of a file',
    [...create, 'first'],
    [...create, 'second'],
    {
      read: 1065,
      run: 400,
      of: ['@oclif/core', 'tar', 'valibot'],
    },
  ],
  [
    'envs snapshot play',
    ['snapshot', 'play', 'first'],
    ['snapshot', 'play', 'second'],
    {read: 680, run: 170, of: ['@oclif/core', 'valibot']},
  ],
] as const) {
  test(`${title} loads no library that it can do without, and no more than ${most.read} kB of ours`, async (t) => {
    const guest = byNode(await play())
    t.after(() => guest.cli.run('rm', '--force', 'first', 'second'))
    await guest.cli.run('stop', 'play')
    await guest.cli.run(...first)
    const {files, libraries, bytes} = await loadedBy(t, guest.cli, ...argv)
    assert.deepEqual(
      files.filter((name) => name.startsWith('library-')),
      [],
    )
    assert.deepEqual(libraries, most.of)
    assert.ok(bytes.read > 0 && bytes.run > 0)
    assert.ok(bytes.read <= most.read * 1000, `${bytes.read} bytes are read, of ${files.join(', ')}`)
    assert.ok(bytes.run <= most.run * 1000, `${bytes.run} bytes are run`)
  })
}

for (const argv of [
  ['run', 'play', 'true'],
  ['enter', 'play'],
]) {
  test(`envs ${argv.join(' ')} in an environment that runs starts no Node`, async () => {
    const {cli} = await play()
    await cli.run('run', 'play', 'true')
    const ran = await cli.runWith({env: {NODE_OPTIONS: '--require=/nowhere'}}, ...argv)
    assert.deepEqual([ran.status, ran.stderr], [0, ''])
  })
}

/** Of the package, packed: a little more than it has. */
const MOST_BYTES = 2_230_000

test('the package is no larger than it was', async (t) => {
  const folder = await temporaryFolder(t)
  const argv = ['npm', 'pack', '--dry-run', '--json', '--ignore-scripts', '--cache', join(folder, 'npm')]
  const {status, stdout, stderr} = await capture(argv, {cwd: packageRoot()})
  assert.equal(status, 0, stderr)
  const [{size}]: [{size: number}] = JSON.parse(stdout)
  assert.ok(size <= MOST_BYTES, `${size} bytes`)
})

import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {debianRootfs} from '../support/debian-rootfs.js'
import {sharedGuest} from '../support/guest.js'
import {loadedBy} from '../support/loaded-modules.js'
import {assertPinned, pinned} from '../support/pinned.js'
import {temporaryFolder} from '../support/temporary-folder.js'

const play = sharedGuest('emulated')
const create = ['create', await debianRootfs(), '--identity', 'emulated', '--quiet', '--name'] as const

/** What a module costs at each start is not seen in a review: one more is to be meant. */
for (const [title, fixture, first, argv] of [
  ['envs --version', 'loaded-by-version.json', ['list'], ['--version']],
  // Its size is known by then.
  ['envs list', 'loaded-by-list.json', ['list'], ['list']],
  // It is running by then.
  ['envs run play true', 'loaded-by-run.json', ['run', 'play', 'true'], ['run', 'play', 'true']],
  ['envs enter play', 'loaded-by-enter.json', ['run', 'play', 'true'], ['enter', 'play']],
  // Its image's layer is there by then.
  ['envs create of a file', 'loaded-by-create.json', [...create, 'first'], [...create, 'second']],
] as const) {
  test(`${title} loads what it did`, async (t) => {
    const {cli} = await play()
    t.after(() => cli.run('rm', '--force', 'first', 'second'))
    await cli.run('stop', 'play')
    await cli.run(...first)
    const {files, builtins, modules} = await loadedBy(t, cli, ...argv)
    await assertPinned(fixture, {count: modules.length, files, builtins, modules})
  })
}

/** Of the pinned size: compression differs a little from one npm to the next. */
const TOLERANCE = 0.02

test('the package is as large as it was', async (t) => {
  const folder = await temporaryFolder(t)
  const argv = ['npm', 'pack', '--dry-run', '--json', '--ignore-scripts', '--cache', join(folder, 'npm')]
  const {status, stdout, stderr} = await capture(argv, {cwd: packageRoot()})
  assert.equal(status, 0, stderr)
  const [{size}]: [{size: number}] = JSON.parse(stdout)
  const expected = await pinned('packed-size.json', size)
  assert.ok(Math.abs(size - expected) <= expected * TOLERANCE, `${size} bytes, not ${expected}`)
})

import assert from 'node:assert/strict'
import {existsSync, readFileSync, statSync} from 'node:fs'
import {mkdir, readdir, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {findProgram} from '../../../src/host/host.js'
import {debArchitecture} from '../../../src/host/machine/arch.js'
import {capture} from '../../../src/host/process.js'
import {environmentCli} from '../../support/environment-cli.js'
import {publishUbuntuBase, startImageServers} from '../../support/image-servers.js'
import {killAtSteps} from '../../support/killed-store.js'
import {startGroup} from '../../support/process-group.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done, givenEnvironment} from '../../support/store-at-rest.js'
import {storeState, writeUpper} from '../../support/store-state.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

for (const storage of ['overlay', 'directory'] as const) {
  test(`rename, killed at any step, ${storage}`, async (t) => {
    const cli = await givenEnvironment(t, 'before', {storage})
    await killAtSteps(cli, {argv: ['rename', 'before', 'after'], changes: ['before'], again: 3})
  })
}

test('what a killed rename has started has the environment for itself until it ends', async (t) => {
  const cli = await givenEnvironment(t, 'before')
  const [programs, isThere, goOn] = ['programs', 'is-there', 'go-on'].map((name) => join(cli.home, name))
  if (programs === undefined || isThere === undefined || goOn === undefined) throw new Error('no paths')
  const path = cli.env['PATH'] ?? ''
  const mount = findProgram('mount', path)
  const script = `#!/bin/sh\n>${isThere}\nuntil [ -e ${goOn} ]; do sleep 0.01; done\nexec ${mount} "$@"\n`
  await mkdir(programs)
  await writeFile(join(programs, 'mount'), script, {mode: 0o700})
  const killed = startGroup(cli, ['rename', 'before', 'after'], {PATH: `${programs}:${path}`})
  await waitUntil('its worker', () => existsSync(isThere))
  killed.signalLeader('SIGKILL')
  await killed.ended
  const early = await cli.run('rename', 'before', 'later', '--json')
  assert.deepEqual([early.status, JSON.parse(early.stdout).error?.code], [4, 'ENVS_BUSY'])
  await writeFile(goOn, '')
  await waitUntil('its end', async () => (await cli.run('rename', 'before', 'later')).status === 0)
  assert.deepEqual(await cli.storeEntries(), ['later'])
})

test('rm, killed at any step, of one with snapshots that others stand on too', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  writeUpper(cli.data, 'play', 'marker', 'sealed')
  await done(cli, 'snapshot', 'play', 'first')
  await done(cli, 'clone', 'play', 'copy', '-q')
  writeUpper(cli.data, 'play', 'marker', 'written since')
  await killAtSteps(cli, {argv: ['rm', 'play'], again: 3})
})

test('rm, killed at any step, of one that is a folder', async (t) => {
  const cli = await givenEnvironment(t, 'play', {storage: 'directory'})
  await killAtSteps(cli, {argv: ['rm', 'play'], again: 3})
})

test('keep, killed at any step', async (t) => {
  const cli = await givenEnvironment(t, 'try-1')
  await writeFile(join(cli.store, 'try-1', 'try'), 'ended\n')
  await killAtSteps(cli, {argv: ['keep', 'play', 'try-1'], changes: ['try-1'], again: 3})
})

for (const [what, flags, before, again] of [
  ['to a new file', [], undefined, 4],
  ['in the place of another file', ['--force'], 'somebody’s', 0],
] as const) {
  test(`export, killed at any step, ${what}`, async (t) => {
    const cli = await givenEnvironment(t, 'play')
    writeUpper(cli.data, 'play', 'marker', 'whole')
    const argv = ['export', 'play', '-o', 'play.tar', ...flags]
    await killAtSteps(cli, {argv, again, output: {name: 'play.tar', before}})
  })
}

test('image pull, killed at any step', async (t) => {
  const servers = await startImageServers(t)
  const cli = await environmentCli(t, servers.variables)
  const {bytes} = await tinyRootfs(t, {files: 5})
  const file = `ubuntu-base-20.04.5-base-${debArchitecture(process.arch)}.tar.gz`
  await publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: {[file]: bytes}})
  await killAtSteps(cli, {argv: ['image', 'pull', 'ubuntu:focal/base', '-q'], again: 0})
})

test('prune, killed at any step', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  await done(cli, ...(await creation(t, 'gone')))
  await done(cli, 'rm', 'gone')
  await done(cli, 'snapshot', 'play', 'mine')
  await killAtSteps(cli, {argv: ['prune', '--yes', '--older-than', '52w'], again: 0})
})

test('the file of an export that still runs is no leftover, nor is anything that no export made', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  await done(cli, ...(await creation(t, 'other')))
  const slow = startGroup(cli, ['export', 'play', '-o', 'x.tar.xz', '-q'])
  t.after(() => slow.signalGroup('SIGKILL'))
  const partials = async () =>
    (await readdir(cli.home)).filter((name) => name.startsWith('x.tar.xz.partial-'))
  // Before it is locked, another export may take it for a dead one's.
  await waitUntil('its file', async () => (await partials()).some((name) => isLocked(join(cli.home, name))))
  slow.signalGroup('SIGSTOP')
  const live = await partials()
  const planted = [
    'x.tar.xz.partial-1-0123abcd',
    'x.tar.xz.partial-1-aaaaaaaa',
    'x.tar.xz.partial-1-bbbbbbbb',
  ]
  const [fifo = '', folder = '', link = ''] = planted.map((name) => join(cli.home, name))
  assert.equal((await capture(['mkfifo', fifo])).status, 0)
  await mkdir(folder)
  await symlink(join(cli.home, 'config'), link)
  await done(cli, 'export', 'other', '-o', 'x.tar.xz', '-q')
  assert.deepEqual(await partials(), [...planted, ...live].sort())
  slow.signalGroup('SIGCONT')
  const {status, stderr} = await slow.ended
  assert.deepEqual(
    [status, stderr.split('\n')[0]],
    [4, `envs: The file "${join(cli.home, 'x.tar.xz')}" exists already.`],
  )
  assert.deepEqual(await partials(), planted)
})

test('the file of a killed export goes with the next command', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  const partials = async () => (await readdir(cli.home)).filter((name) => name.startsWith('x.tar.xz'))
  const killed = startGroup(cli, ['export', 'play', '-o', 'x.tar.xz', '-q'])
  await waitUntil('its file', async () => (await partials()).some((name) => isLocked(join(cli.home, name))))
  killed.signalGroup('SIGKILL')
  await killed.ended
  assert.equal((await partials()).length, 1)
  await done(cli, 'list')
  assert.deepEqual(await partials(), [])
  assert.deepEqual(storeState(cli.data).leftovers, [])
})

/** @see proc_locks(5) */
function isLocked(path: string): boolean {
  const status = statSync(path, {throwIfNoEntry: false})
  return status !== undefined && readFileSync('/proc/locks', 'utf8').includes(`:${status.ino} `)
}

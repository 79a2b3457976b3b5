import assert from 'node:assert/strict'
import {lstat, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {accountName, ownRanges, readSubidFiles} from '../../../src/host/id-mapping.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const whyMapped = await whyNotMapped()

test('a mapped environment keeps the owners of its archive as ids of the subordinate range', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await plainCli(t)
  await cli.run('create', await debianRootfs(), '--name', 'play', '--identity', 'mapped')
  const root = cli.root('play')
  const mailGroup = await idIn(join(root, 'etc/group'), 'mail')
  const inside = await cli.run(
    'run',
    'play',
    'stat',
    '-c',
    '%u:%g',
    '/',
    '/var/mail',
    '/var/cache/apt/archives/partial',
  )
  assert.deepEqual(inside.stdout.trim().split('\n'), [
    '0:0',
    `0:${mailGroup}`,
    `${await idIn(join(root, 'etc/passwd'), '_apt')}:0`,
  ])
  const outside = await lstat(join(root, 'var/mail'))
  assert.equal(outside.uid, process.getuid?.())
  assert.equal(outside.gid, (await firstSubordinateGid()) + mailGroup - 1)
})

test('an emulated environment belongs to the user alone, and inside to root', async (t) => {
  const cli = await plainCli(t)
  await cli.run('create', await debianRootfs(), '--name', 'play', '--identity', 'emulated')
  const inside = await cli.run(
    'run',
    'play',
    'find',
    '/etc',
    '/var',
    '!',
    '-user',
    '0',
    '-o',
    '!',
    '-group',
    '0',
  )
  assert.deepEqual([inside.status, inside.stdout], [0, ''])
  const {uid, gid} = await lstat(join(cli.root('play'), 'var/mail'))
  assert.deepEqual([uid, gid], [process.getuid?.(), process.getgid?.()])
})

for (const [what, argv, env, setting, identity] of [
  ['the flag', ['--identity', 'emulated'], {ENVS_IDENTITY: 'mapped'}, 'mapped', 'emulated'],
  ['the variable', [], {ENVS_IDENTITY: 'emulated'}, 'mapped', 'emulated'],
  ['the setting', [], {}, 'emulated', 'emulated'],
] as const) {
  test(`the identity is that of ${what}`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('config', 'set', 'identity', setting)
    const run = await cli.runWith({env}, 'create', path, ...argv, '--json')
    assert.equal(JSON.parse(run.stdout).identity, identity)
  })
}

test('the identity is mapped where it can be had, else emulated', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const run = await cli.run('create', path, '--json')
  assert.equal(JSON.parse(run.stdout).identity, whyMapped === undefined ? 'mapped' : 'emulated')
})

test('mapped, asked for by name where it can not be had, is refused with the reason', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  // Takes the power of newuidmap, which is setuid.
  const run = await cli.runBehind(
    ['setpriv', '--no-new-privs'],
    'create',
    path,
    '--identity',
    'mapped',
    '--json',
  )
  assert.equal(run.status, 7)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_IDENTITY_UNAVAILABLE')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('mapped environments are listed and shown where the identity can no longer be had', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--name', 'play', '--identity', 'mapped')
  // What nobody has counted has to be measured.
  const usage = join(cli.data, 'environments/play/usage.json')
  await rm(usage)
  for (const argv of [['list'], ['show', 'play']]) {
    const run = await cli.runBehind(['setpriv', '--no-new-privs'], ...argv, '--json')
    assert.equal(run.status, 0, run.stdout)
  }
  await assert.rejects(lstat(usage), {code: 'ENOENT'}, 'a lower bound was written down')
})

/** The number in the third field of the line that begins with `name`. @see passwd(5), group(5) */
async function idIn(file: string, name: string): Promise<number> {
  const line = (await readFile(file, 'utf8')).split('\n').find((each) => each.startsWith(`${name}:`))
  return Number(line?.split(':')[2])
}

/** Where the range begins that unshare(1) maps to 1 and on. */
async function firstSubordinateGid(): Promise<number> {
  const {subgid} = await readSubidFiles()
  const [range] = ownRanges(subgid, {user: accountName(), uid: openHost().uid})
  assert.ok(range)
  return range.start
}

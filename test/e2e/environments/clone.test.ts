import assert from 'node:assert/strict'
import {once} from 'node:events'
import {lstat, mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {capture} from '../../../src/host/process.js'
import {readLedger} from '../../../src/rootfs/ledger/ledger.js'
import {type EnvironmentCli, plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {ownGuest} from '../../support/guest.js'
import {startGroup} from '../../support/process-group.js'
import {canSimulate} from '../../support/simulated-host.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {MAPPED} from '../../support/tree-process.js'

const whyMapped = await whyNotMapped()

const ROOT = {uid: 0, gid: 0}
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:\n'
const GROUP = 'root:x:0:\nshadow:x:42:\nmessagebus:x:101:\n'
const OVERRIDES =
  'root messagebus 4754 /usr/bin/helper\nroot nobody-here 0755 /usr/bin/other\n#7 #8 0640 /etc/numbered\n'

/** A small tree with owners, special modes, two names of one file, a hole, and what dpkg was told of owners. */
const ARCHIVE = tarArchive(
  ...['./', 'etc/', 'usr/', 'usr/bin/', 'var/', 'var/lib/', 'var/lib/dpkg/'].map((name) =>
    tarMember({...ROOT, mode: 0o755, name, type: '5'}),
  ),
  tarMember({...ROOT, name: 'etc/passwd', data: PASSWD.replace('x:100:', 'x:100:101')}),
  tarMember({...ROOT, name: 'etc/group', data: GROUP}),
  tarMember({...ROOT, gid: 42, mode: 0o640, name: 'etc/shadow', data: 'root:*:'}),
  tarMember({...ROOT, gid: 42, mode: 0o2755, name: 'usr/bin/chage', data: 'chage'}),
  tarMember({...ROOT, name: 'usr/bin/expiry', target: 'usr/bin/chage', type: '1'}),
  tarMember({...ROOT, mode: 0o4755, name: 'usr/bin/su', data: 'su'}),
  tarMember({uid: 33, gid: 33, mode: 0o777, name: 'var/www', target: 'lib', type: '2'}),
  tarMember({uid: 6, gid: 12, mode: 0o2775, name: 'var/mail/', type: '5'}),
  tarMember({uid: 6, gid: 0, mode: 0o000, name: 'var/closed', data: 'closed'}),
  tarMember({uid: 6, gid: 0, mode: 0o600, name: 'var/pipe', type: '6'}),
  tarMember({...ROOT, gid: 42, name: 'etc/gone', data: 'gone'}),
  tarMember({...ROOT, gid: 42, name: 'etc/another-kind', data: 'file'}),
  tarMember({...ROOT, mode: 0o755, name: 'usr/bin/helper', data: 'helper'}),
  tarMember({...ROOT, mode: 0o644, name: 'etc/numbered', data: 'numbered'}),
  tarMember({...ROOT, name: 'var/lib/dpkg/statoverride', data: OVERRIDES}),
)

async function given(t: TestContext, identity: 'mapped' | 'emulated'): Promise<EnvironmentCli> {
  const cli = await plainCli(t)
  await writeFile(join(cli.home, 'a.tar.gz'), gzipSync(ARCHIVE))
  const made = await cli.runWith(
    DIRECTORY,
    'create',
    join(cli.home, 'a.tar.gz'),
    '--identity',
    identity,
    '-q',
  )
  assert.equal(made.status, 0, made.stderr)
  await capture([
    ...MAPPED.prefix.slice(0, identity === 'mapped' ? undefined : 0),
    'sh',
    '-ec',
    CHANGES,
    cli.root('a'),
  ])
  return cli
}

/** Copies of all files are what is tested here. */
const DIRECTORY = {env: {ENVS_STORAGE: 'directory'}}

/** What the guest did since: a file went, one became a folder, a large one has a hole, a FIFO and a link came. */
const CHANGES =
  'cd "$0"; rm etc/gone etc/another-kind; mkdir etc/another-kind; truncate -s 50M var/sparse; ln -s /etc/passwd etc/link'

/** What fixes write, which is not the same for every name and identity. */
const LAID = /^(etc\/(hostname|hosts|debian_chroot|machine-id)|usr\/lib(\/envs.*)?)$/

/** Kind, owner and mode of each path, as root of the namespace sees it. */
async function seen(cli: EnvironmentCli, name: string, identity: string): Promise<Record<string, string>> {
  const prefix = identity === 'mapped' ? MAPPED.prefix : []
  const script = 'cd "$0"; find . -mindepth 1 -printf "%P\\t%y %U:%G %m %l\\n"'
  const {stdout} = await capture([...prefix, 'sh', '-ec', script, cli.root(name)])
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([path]) => !LAID.test(path ?? '')),
  )
}

for (const identity of ['emulated', 'mapped'] as const) {
  test(`clone copies a tree as it is, ${identity}`, async (t) => {
    if (identity === 'mapped' && whyMapped !== undefined) return t.skip(whyMapped)
    const cli = await given(t, identity)
    assert.deepEqual(await cli.run('clone', 'a', 'b', '-q'), {
      status: 0,
      signal: null,
      stdout: '',
      stderr: '',
    })
    assert.deepEqual(await seen(cli, 'b', identity), await seen(cli, 'a', identity))
    const [chage, expiry] = await Promise.all(
      ['chage', 'expiry'].map((name) => stat(join(cli.root('b'), 'usr/bin', name))),
    )
    assert.deepEqual([chage?.ino, chage?.nlink], [expiry?.ino, 2])
    const {size, blocks} = await lstat(join(cli.root('b'), 'var/sparse'))
    assert.deepEqual([size, blocks < 100], [50 * 2 ** 20, true])
    const ledgers = ['a', 'b'].map((name) => readLedger(join(cli.store, name, 'ledger.jsonl')))
    assert.deepEqual(ledgers[1], ledgers[0])
    assert.deepEqual(await cli.storeEntries(), ['a', 'b'])
  })
}

test('a clone has its own name, machine id and date, and the image of the original', async (t) => {
  const cli = await given(t, 'emulated')
  const before = JSON.parse((await cli.run('show', 'a', '--json')).stdout)
  const copy = JSON.parse((await cli.run('clone', 'a', 'b', '--json')).stdout)
  const {createdAt, sizeBytes} = copy
  assert.deepEqual(copy, {...before, name: 'b', path: cli.root('b'), createdAt, sizeBytes})
  assert.ok(createdAt > before.createdAt)
  assert.ok(sizeBytes > 0)
  const read = (name: string, path: string) => readFile(join(cli.root(name), path), 'utf8')
  assert.equal(await read('b', 'etc/hostname'), 'b\n')
  assert.match(await read('b', 'etc/hosts'), /^127\.0\.1\.1 b$/m)
  assert.match(await read('b', 'etc/machine-id'), /^[0-9a-f]{32}\n$/)
  assert.notEqual(await read('b', 'etc/machine-id'), await read('a', 'etc/machine-id'))
})

test('a clone and its original share no file', async (t) => {
  const cli = await given(t, 'emulated')
  await cli.run('clone', 'a', 'b')
  await writeFile(join(cli.root('b'), 'etc/passwd'), 'changed')
  assert.match(await readFile(join(cli.root('a'), 'etc/passwd'), 'utf8'), /^root:/)
})

test('emulated becomes mapped with the owners of the image and of dpkg', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await given(t, 'emulated')
  const run = await cli.run('clone', 'a', 'b', '--identity', 'mapped', '--quiet')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  const files = await seen(cli, 'b', 'mapped')
  assert.deepEqual(Object.fromEntries(Object.entries(files).filter(([, line]) => !line.includes(' 0:0 '))), {
    'etc/shadow': 'f 0:42 640 ',
    'usr/bin/chage': 'f 0:42 2755 ',
    'usr/bin/expiry': 'f 0:42 2755 ',
    'var/www': 'l 33:33 777 lib',
    'var/mail': 'd 6:12 2775 ',
    'var/closed': 'f 6:0 0 ',
    'var/pipe': 'p 6:0 600 ',
    'usr/bin/helper': 'f 0:101 4754 ',
    'etc/numbered': 'f 7:8 640 ',
  })
  assert.equal(files['usr/bin/su'], 'f 0:0 4755 ')
  assert.equal(files['etc/another-kind'], 'd 0:0 755 ')
  assert.deepEqual(readLedger(join(cli.store, 'b', 'ledger.jsonl')), {entries: [], dropped: 0})
  assert.equal(JSON.parse((await cli.run('show', 'b', '--json')).stdout).identity, 'mapped')
})

test("mapped becomes emulated, everything the caller's and the owners written down", async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await given(t, 'mapped')
  const before = await seen(cli, 'a', 'mapped')
  const run = await cli.run('clone', 'a', 'b', '--identity', 'emulated', '--quiet')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  const own = `${process.getuid?.()}:${process.getgid?.()}`
  const copied = await seen(cli, 'b', 'emulated')
  assert.deepEqual(
    copied,
    Object.fromEntries(
      Object.entries(before).map(([path, line]) => [path, line.replace(/ \d+:\d+ /, ` ${own} `)]),
    ),
  )
  const {entries} = readLedger(join(cli.store, 'b', 'ledger.jsonl'))
  assert.deepEqual(
    Object.fromEntries(entries.map(({path, uid, gid, mode}) => [path, `${uid}:${gid} ${mode.toString(8)}`])),
    {
      'etc/shadow': '0:42 640',
      'usr/bin/chage': '0:42 2755',
      'usr/bin/expiry': '0:42 2755',
      'var/www': '33:33 777',
      'var/mail': '6:12 2775',
      'var/closed': '6:0 0',
      'var/pipe': '6:0 600',
    },
  )
})

test('there and back again is where it began', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await given(t, 'mapped')
  await cli.run('clone', 'a', 'b', '--identity', 'emulated')
  await cli.run('clone', 'b', 'c', '--identity', 'mapped')
  const [a, c] = [await seen(cli, 'a', 'mapped'), await seen(cli, 'c', 'mapped')]
  // dpkg's overrides, of which the first archive knew nothing.
  for (const path of ['usr/bin/helper', 'etc/numbered']) {
    delete a[path]
    delete c[path]
  }
  assert.deepEqual(c, a)
})

test('clone says what a conversion can not know', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await given(t, 'emulated')
  const {stderr} = await cli.run('clone', 'a', 'b', '--identity', 'mapped')
  assert.deepEqual(stderr.split('\n').slice(-4), [
    'Copied a to b.',
    'Identity mapped: users of the environment have ids of your subordinate range.',
    "Owners are those of the image and of dpkg's overrides. Later changes of owners by packages are lost. To repeat them: envs run b apt-get install --reinstall PACKAGE",
    '',
  ])
})

test('clone refuses a name that is taken, and its own', async (t) => {
  const cli = await given(t, 'emulated')
  await cli.run('clone', 'a', 'b')
  for (const to of ['b', 'a']) {
    const run = await cli.run('clone', 'a', to, '--json')
    assert.equal(run.status, 4)
    assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_EXISTS')
  }
  assert.deepEqual(await cli.storeEntries(), ['a', 'b'])
})

for (const [what, argv, status] of [
  ['an environment that is not there', ['nothing', 'b'], 3],
  ['a name that can not be', ['a', '../b'], 2],
  ['an identity nobody knows', ['a', 'b', '--identity', 'both'], 2],
] as const) {
  test(`clone refuses ${what}`, async (t) => {
    const cli = await given(t, 'emulated')
    assert.equal((await cli.run('clone', ...argv)).status, status)
    assert.deepEqual(await cli.storeEntries(), ['a'])
  })
}

test('clone refuses an environment that runs and has its files for itself, and says how to stop it', async (t) => {
  const {cli, start} = await ownGuest(t, 'emulated', {isPlain: true})
  const session = start('run', 'play', 'sleep', '100')
  while (!(await cli.run('ps', 'play')).stdout.includes('sleep 100')) await new Promise(setImmediate)
  const run = await cli.run('clone', 'play', 'copy')
  assert.deepEqual(
    [run.status, run.stderr],
    [
      4,
      'envs: The environment "play" is running.\n  See its processes: envs ps play. Stop them: envs stop play\n',
    ],
  )
  const ended = once(session, 'exit')
  await cli.run('stop', 'play')
  await ended
  assert.equal((await cli.run('clone', 'play', 'copy')).status, 0)
  const ran = await cli.run('run', 'copy', 'sh', '-c', 'hostname; id -u')
  assert.deepEqual([ran.status, ran.stdout], [0, 'copy\n0\n'])
  assert.equal((await cli.run('rm', '--force', 'copy')).status, 0)
})

test('two clones crosswise wait for each other, not for ever', async (t) => {
  const cli = await given(t, 'emulated')
  await cli.run('clone', 'a', 'b')
  const both = await Promise.all([cli.run('clone', 'a', 'b', '--json'), cli.run('clone', 'b', 'a', '--json')])
  for (const {stdout} of both) assert.equal(JSON.parse(stdout).error.code, 'ENVS_EXISTS')
})

test('clone leaves a folder that is no environment alone', async (t) => {
  const cli = await given(t, 'emulated')
  await mkdir(join(cli.store, 'b'))
  await writeFile(join(cli.store, 'b', 'mine'), 'mine')
  const run = await cli.run('clone', 'a', 'b', '--json')
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_FOLDER_TAKEN')
  assert.equal(await readFile(join(cli.store, 'b', 'mine'), 'utf8'), 'mine')
  assert.deepEqual(await cli.storeEntries(), ['a', 'b'])
})

test('clone, interrupted while it copies, takes everything back', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 3000})
  await cli.runWith(DIRECTORY, 'create', path, '--identity', 'emulated')
  const run = startGroup(cli, ['clone', 'tiny', 'copy', '--quiet'])
  while (!(await cli.storeEntries()).some((name) => name.startsWith('.partial.')))
    await new Promise(setImmediate)
  run.signalGroup('SIGINT')
  const {status, stderr} = await run.ended
  assert.deepEqual([status, stderr], [130, 'envs: Interrupted by SIGINT.\n'])
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

const whySmall = (await canSimulate()) ? undefined : 'no user namespace for a small disk'

for (const [what, options] of [
  ['too few bytes', 'size=14m'],
  ['too few inodes', 'size=64m,nr_inodes=1600'],
]) {
  test(`clone on a disk with ${what} says so, and leaves nothing`, async (t) => {
    if (whySmall !== undefined) return t.skip(whySmall)
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t, {files: 1000})
    const script = `mkdir -p "$0" && mount -t tmpfs -o mode=700,${options} tmpfs "$0" || exit 99
      ENVS_STORAGE=directory "$1" create ${path} --identity emulated -q >/dev/null || exit 98
      status=0; "$@" || status=$?
      ls -A "$0/environments" >left; exit $status`
    const prefix = ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, cli.data]
    const run = await cli.runBehind(prefix, 'clone', 'tiny', 'copy', '--json')
    assert.equal(run.status, 8, run.stderr)
    assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_STORAGE_FULL')
    assert.equal(await readFile(join(cli.home, 'left'), 'utf8'), 'tiny\n')
  })
}

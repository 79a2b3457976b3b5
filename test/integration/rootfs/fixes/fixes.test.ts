import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fixTree} from '../../../../src/rootfs/fixes/apply.js'
import {CLONE_FIXES, NAME_FIXES} from '../../../../src/rootfs/fixes/index.js'
import {treeFolder} from '../../../support/extraction.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'
import {treeSnapshot} from '../../../support/tree-snapshot.js'

/** What a Debian tree has that fixes look at. */
async function debianTree(t: TestContext): Promise<string> {
  const root = await treeFolder(t)
  for (const folder of ['etc/apt', 'var/lib/dpkg', 'var/lib/dbus', 'usr/sbin']) {
    mkdirSync(join(root, folder), {recursive: true})
  }
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1\tlocalhost\n10.0.0.1 own\n')
  symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(root, 'etc/resolv.conf'))
  return root
}

for (const [path, mode, content] of [
  ['etc/apt/apt.conf.d/90envs', 0o644, /^APT::Sandbox::User "root";$/m],
  ['etc/apt/apt.conf.d/90envs-dpkg', 0o644, /^Dir::Bin::dpkg "\/usr\/lib\/envs\/dpkg";$/m],
  ['usr/lib/envs/dpkg', 0o755, /^dpkg=\/usr\/bin\/dpkg$/m],
  ['usr/lib/envs/load-filter', 0o755, /^use Config;$/m],
  ['usr/lib/envs/sync.bpf', 0o644, /^a filter$/],
  ['usr/lib/envs/ask-restore-point', 0o755, /^my \$requests_path = '\/run\/envs\/restore-point';$/m],
  [
    'etc/apt/apt.conf.d/92envs-restore-points',
    0o644,
    /^DPkg::Pre-Invoke \{ ".* \/usr\/lib\/envs\/ask-restore-point \|\| true"; \};$/m,
  ],
  [
    'etc/dpkg/dpkg.cfg.d/envs-restore-points',
    0o644,
    /^pre-invoke=.* \/usr\/lib\/envs\/ask-restore-point \|\| true$/m,
  ],
  ['usr/sbin/policy-rc.d', 0o755, /^exit 101$/m],
  ['usr/lib/envs/note-services', 0o755, /^record=\$folder\/would-start$/m],
  ['etc/apt/apt.conf.d/93envs-services', 0o644, /^DPkg::Post-Invoke \{ ".* after \|\| true"; \};$/m],
  ['etc/dpkg/dpkg.cfg.d/envs-services', 0o644, /^post-invoke=.* after \|\| true$/m],
  ['etc/hostname', 0o644, /^play\n$/],
  ['etc/machine-id', 0o444, /^0123456789abcdef0123456789abcdef\n$/],
  ['etc/debian_chroot', 0o644, /^play\n$/],
  ['run/.containerenv', 0o644, /^engine="envs"\n$/],
] as const) {
  test(`${path} is written with its mode`, async (t) => {
    const root = await debianTree(t)
    fixTree(root, {...TREE_FACTS, syncFilter: Buffer.from('a filter').toString('base64')})
    assert.match(readFileSync(join(root, path), 'utf8'), content)
    assert.equal(lstatSync(join(root, path)).mode & 0o7777, mode)
  })
}

test('resolv.conf becomes a link into the folder that sessions bind', async (t) => {
  const root = await debianTree(t)
  fixTree(root, TREE_FACTS)
  assert.equal(readlinkSync(join(root, 'etc/resolv.conf')), '/run/envs/resolv.conf')
  assert.ok(lstatSync(join(root, 'run/envs')).isDirectory())
})

test('hosts gets our lines and keeps those of the image', async (t) => {
  const root = await debianTree(t)
  fixTree(root, TREE_FACTS)
  assert.equal(
    readFileSync(join(root, 'etc/hosts'), 'utf8'),
    '127.0.0.1 localhost\n127.0.1.1 play\n::1 localhost ip6-localhost ip6-loopback\n' +
      'ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n10.0.0.1 own\n',
  )
})

test('a second run changes nothing and says so', async (t) => {
  const root = await debianTree(t)
  fixTree(root, TREE_FACTS)
  const before = treeSnapshot(root)
  assert.deepEqual(fixTree(root, TREE_FACTS), [])
  assert.deepEqual(treeSnapshot(root), before)
})

test('a new name is written where the former one was, and nowhere else', async (t) => {
  const root = await debianTree(t)
  fixTree(root, TREE_FACTS)
  assert.deepEqual(fixTree(root, {...TREE_FACTS, machineId: '', name: 'other'}, NAME_FIXES), [
    'hosts',
    'hostname',
    'prompt',
  ])
  assert.doesNotMatch(readFileSync(join(root, 'etc/hosts'), 'utf8'), /play/)
  assert.equal(readFileSync(join(root, 'etc/machine-id'), 'utf8'), `${TREE_FACTS.machineId}\n`)
})

/** A tree with keys of every package that is known to make some, below folders that links lead to. */
async function treeWithKeys(t: TestContext): Promise<string> {
  const root = await debianTree(t)
  for (const folder of ['data/ssh', 'etc/ssl/private', 'etc/ssl/certs', 'etc/bind', 'var/lib/systemd'])
    mkdirSync(join(root, folder), {recursive: true})
  symlinkSync('/data/ssh', join(root, 'etc/ssh'))
  for (const path of [...KEYS, ...NO_KEYS]) writeFileSync(join(root, placeOf(path)), 'of the image')
  symlinkSync('ssl-cert-snakeoil.pem', join(root, 'etc/ssl/certs/0a1b2c3d.0'))
  symlinkSync('another.pem', join(root, 'etc/ssl/certs/0a1b2c3d.1'))
  return root
}

const placeOf = (path: string) => path.replace('etc/ssh', 'data/ssh')

const KEYS = [
  ...['etc/ssh/ssh_host_rsa_key', 'etc/ssh/ssh_host_rsa_key.pub', 'etc/ssh/ssh_host_ed25519_key'],
  ...['etc/ssl/private/ssl-cert-snakeoil.key', 'etc/ssl/certs/ssl-cert-snakeoil.pem'],
  ...['etc/bind/rndc.key', 'var/lib/systemd/random-seed'],
]
const NO_KEYS = [
  'etc/ssh/sshd_config',
  'etc/ssh/own_key',
  'etc/ssl/private/own.key',
  'etc/ssl/certs/another.pem',
]

for (const [title, only] of [
  ['a new tree', undefined],
  ['a clone', CLONE_FIXES],
] as const) {
  test(`${title} loses the keys of the machine it was made from, and no others`, async (t) => {
    const root = await treeWithKeys(t)
    fixTree(root, TREE_FACTS, only)
    const there = (path: string) => existsSync(join(root, placeOf(path)))
    assert.deepEqual(KEYS.filter(there), [])
    assert.deepEqual(NO_KEYS.filter(there), NO_KEYS)
    const links = readdirSync(join(root, 'etc/ssl/certs')).filter((name) => name.startsWith('0'))
    assert.deepEqual(links, ['0a1b2c3d.1'])
    assert.equal(existsSync(join(root, RENEWAL)), false, 'nothing there could make new ones')
  })
}

const RENEWAL = 'usr/lib/envs/renew-keys'

test('a tree with sshd gets what makes its keys, also where it has none', async (t) => {
  const root = await debianTree(t)
  writeFileSync(join(root, 'usr/sbin/sshd'), '')
  fixTree(root, TREE_FACTS)
  assert.equal(lstatSync(join(root, RENEWAL)).mode & 0o7777, 0o755)
  const before = treeSnapshot(root)
  assert.deepEqual(fixTree(root, TREE_FACTS), [])
  assert.deepEqual(treeSnapshot(root), before)
})

test('a tree without apt and dpkg gets no files of theirs', async (t) => {
  const root = await treeFolder(t)
  const applied = fixTree(root, TREE_FACTS)
  assert.deepEqual(applied, ['resolver', 'hosts', 'hostname', 'machine-id', 'prompt', 'container-marker'])
})

for (const missing of ['etc/apt', 'var/lib/dpkg']) {
  test(`a tree without ${missing} keeps its own dpkg`, async (t) => {
    const root = await debianTree(t)
    rmdirSync(join(root, missing))
    assert.equal(fixTree(root, TREE_FACTS).includes('apt-syncs'), false)
    assert.equal(existsSync(join(root, 'usr/lib/envs/dpkg')), false)
    assert.equal(existsSync(join(root, 'etc/apt/apt.conf.d/92envs-restore-points')), false)
  })
}

test("the bus's machine id is written when it is a file of its own", async (t) => {
  const root = await debianTree(t)
  writeFileSync(join(root, 'var/lib/dbus/machine-id'), 'old\n')
  fixTree(root, TREE_FACTS)
  assert.equal(readFileSync(join(root, 'var/lib/dbus/machine-id'), 'utf8'), `${TREE_FACTS.machineId}\n`)
})

test("the bus's machine id stays a link when it is one", async (t) => {
  const root = await debianTree(t)
  symlinkSync('/etc/machine-id', join(root, 'var/lib/dbus/machine-id'))
  fixTree(root, TREE_FACTS)
  assert.equal(readlinkSync(join(root, 'var/lib/dbus/machine-id')), '/etc/machine-id')
})

test('a folder that is missing is made with mode 755, whatever the umask', async (t) => {
  const root = await treeFolder(t)
  const before = process.umask(0o077)
  t.after(() => process.umask(before))
  fixTree(root, TREE_FACTS)
  assert.equal(lstatSync(join(root, 'etc')).mode & 0o7777, 0o755)
  assert.equal(lstatSync(join(root, 'etc/hosts')).mode & 0o7777, 0o644)
})

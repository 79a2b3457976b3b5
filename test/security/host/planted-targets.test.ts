import assert from 'node:assert/strict'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {fixTree} from '../../../src/rootfs/fixes/apply.js'
import {extractionArena, UNTOUCHED} from '../../support/extraction.js'
import {TREE_FACTS} from '../../support/tree-facts.js'

test('a link planted at a target is replaced, and the host file behind it untouched', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  mkdirSync(join(root, 'etc'))
  for (const name of ['hosts', 'hostname', 'machine-id', 'debian_chroot', 'resolv.conf']) {
    symlinkSync(join(outside, 'sentinel.txt'), join(root, 'etc', name))
  }
  fixTree(root, TREE_FACTS)
  assert.deepEqual(await outsideContents(), UNTOUCHED)
  assert.equal(readFileSync(join(root, 'etc/hostname'), 'utf8'), 'play\n')
})

test('the content of a host file is not copied in through a planted link', async (t) => {
  const {outside, root} = await extractionArena(t)
  mkdirSync(join(root, 'etc'))
  symlinkSync(join(outside, 'sentinel.txt'), join(root, 'etc/hosts'))
  fixTree(root, TREE_FACTS)
  assert.doesNotMatch(readFileSync(join(root, 'etc/hosts'), 'utf8'), /untouched/)
})

test('a hard link planted at a target is replaced, and the file it shares untouched', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  mkdirSync(join(root, 'etc'))
  linkSync(join(outside, 'sentinel.txt'), join(root, 'etc/hostname'))
  fixTree(root, TREE_FACTS)
  assert.deepEqual(await outsideContents(), UNTOUCHED)
})

for (const [what, plant] of [
  ['a file', (place: string, _aim: string) => writeFileSync(place, 'x'.repeat(10_000))],
  ['a link', (place: string, aim: string) => symlinkSync(aim, place)],
  ['a folder', (place: string, _aim: string) => mkdirSync(join(place, 'full'), {recursive: true})],
] as const) {
  test(`${what} in the place where a file is put together is no obstacle, and nothing behind it is touched`, async (t) => {
    const {outside, outsideContents, root} = await extractionArena(t)
    mkdirSync(join(root, 'etc'))
    plant(join(root, 'etc/.envs-hostname'), join(outside, 'sentinel.txt'))
    fixTree(root, TREE_FACTS)
    assert.deepEqual(await outsideContents(), UNTOUCHED)
    assert.equal(readFileSync(join(root, 'etc/hostname'), 'utf8'), 'play\n')
    const left = readdirSync(join(root, 'etc')).filter((name) => name.startsWith('.envs-'))
    assert.deepEqual(left, what === 'a folder' ? ['.envs-hostname'] : [])
  })
}

test('a FIFO planted at a target is replaced without being waited for', {timeout: 10_000}, async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'etc'))
  await capture(['mkfifo', join(root, 'etc/hosts'), join(root, 'etc/hostname')])
  fixTree(root, TREE_FACTS)
  assert.ok(lstatSync(join(root, 'etc/hosts')).isFile())
  assert.ok(lstatSync(join(root, 'etc/hostname')).isFile())
})

for (const target of ['absolute', '../../../../../../../../../../..'] as const) {
  test(`a ${target} link planted on the way leads no further than the root`, async (t) => {
    const {outside, outsideContents, root} = await extractionArena(t)
    symlinkSync(target === 'absolute' ? outside : target, join(root, 'etc'))
    fixTree(root, TREE_FACTS)
    assert.deepEqual(await outsideContents(), UNTOUCHED)
    assert.equal(readdirSync(outside).includes('hostname'), false)
    const inside = target === 'absolute' ? join(root, outside, 'hostname') : join(root, 'hostname')
    assert.equal(readFileSync(inside, 'utf8'), 'play\n')
  })
}

test('a link planted where a folder is to be mounted on is replaced by a folder', async (t) => {
  const {outside, root} = await extractionArena(t)
  mkdirSync(join(root, 'run'))
  symlinkSync(outside, join(root, 'run/envs'))
  fixTree(root, TREE_FACTS)
  assert.ok(lstatSync(join(root, 'run/envs')).isDirectory())
})

for (const [what, plant] of [
  [
    'a full folder planted at a target',
    (root: string) => mkdirSync(join(root, 'etc/hostname/full'), {recursive: true}),
  ],
  ['a file planted on the way', (root: string) => writeFileSync(join(root, 'etc'), '')],
  ['a link to itself planted on the way', (root: string) => symlinkSync('etc', join(root, 'etc'))],
] as const) {
  test(`${what} is an error that names the path`, async (t) => {
    const {root} = await extractionArena(t)
    plant(root)
    assert.throws(() => fixTree(root, TREE_FACTS), {
      code: 'ENVS_FIX_FAILED',
      exitCode: 8,
      message: /^Could not write "\/etc\//,
    })
  })
}

test('a failed write leaves no file of ours behind', async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'etc/hostname/full'), {recursive: true})
  assert.throws(() => fixTree(root, TREE_FACTS, ['hostname']))
  assert.deepEqual(readdirSync(join(root, 'etc')), ['hostname'])
  assert.ok(existsSync(join(root, 'etc/hostname/full')))
})

test('keys that are taken out behind planted links are those of the tree, and no host file goes', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  mkdirSync(join(root, 'etc/ssl/private'), {recursive: true})
  symlinkSync(outside, join(root, 'etc/ssh'))
  writeFileSync(join(outside, 'ssh_host_rsa_key'), "the host's")
  symlinkSync(join(outside, 'ssh_host_rsa_key'), join(root, 'etc/ssl/private/ssl-cert-snakeoil.key'))
  mkdirSync(join(root, 'etc/dropbear/dropbear_rsa_host_key'), {recursive: true})
  const before = await outsideContents()
  fixTree(root, TREE_FACTS)
  assert.deepEqual(await outsideContents(), before)
  assert.equal(readFileSync(join(outside, 'ssh_host_rsa_key'), 'utf8'), "the host's")
  assert.deepEqual(readdirSync(join(root, 'etc/ssl/private')), [])
  assert.deepEqual(readdirSync(join(root, 'etc/dropbear')), ['dropbear_rsa_host_key'])
})

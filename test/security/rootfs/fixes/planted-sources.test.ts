import assert from 'node:assert/strict'
import {linkSync, lstatSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {fixTree} from '../../../../src/rootfs/fixes/apply.js'
import {NO_ARCHIVES} from '../../../../src/rootfs/fixes/apt-sources.js'
import {openTreeView} from '../../../../src/rootfs/fixes/tree-view.js'
import {noteTree} from '../../../../src/rootfs/tree-notes.js'
import {OLD_RELEASES, plant, textOf} from '../../../support/apt-tree.js'
import {extractionArena, UNTOUCHED} from '../../../support/extraction.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'

const FACTS = {...TREE_FACTS, archives: {...NO_ARCHIVES, movedSuites: ['kinetic']}}
const ONLY = ['apt-sources', 'cloud-init']
const ENTRY = 'deb http://archive.ubuntu.com/ubuntu kinetic main\n'
const PLACES = [
  'etc/apt/sources.list',
  'etc/apt/sources.list.d/x.list',
  'etc/apt/sources.list.d/x.sources',
] as const

test('links to sources of the host are neither followed nor replaced', async (t) => {
  const {outside, root} = await extractionArena(t)
  writeFileSync(join(outside, 'sources.list'), ENTRY)
  for (const place of PLACES) {
    mkdirSync(join(root, place, '..'), {recursive: true})
    symlinkSync(join(outside, 'sources.list'), join(root, place))
  }
  assert.deepEqual(fixTree(root, FACTS, ONLY), [])
  assert.equal(textOf(outside, 'sources.list'), ENTRY)
  for (const place of PLACES) assert.ok(lstatSync(join(root, place)).isSymbolicLink())
})

test('a folder of sources that is a link out of the tree is not looked into', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  mkdirSync(join(root, 'etc/apt'), {recursive: true})
  symlinkSync(outside, join(root, 'etc/apt/sources.list.d'))
  writeFileSync(join(outside, 'x.list'), ENTRY)
  assert.deepEqual(fixTree(root, FACTS, ONLY), [])
  assert.deepEqual(await outsideContents(), {...UNTOUCHED, 'x.list': ENTRY})
})

test('a hard link to sources of the host is replaced, and the file it shares untouched', async (t) => {
  const {outside, root} = await extractionArena(t)
  writeFileSync(join(outside, 'sources.list'), ENTRY)
  mkdirSync(join(root, 'etc/apt'), {recursive: true})
  linkSync(join(outside, 'sources.list'), join(root, PLACES[0]))
  assert.deepEqual(fixTree(root, FACTS, ONLY), ['apt-sources'])
  assert.equal(textOf(root, PLACES[0]), `deb ${OLD_RELEASES} kinetic main\n`)
  assert.equal(textOf(outside, 'sources.list'), ENTRY)
})

test('FIFOs in the places of sources are not waited for', {timeout: 10_000}, async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'etc/apt/sources.list.d'), {recursive: true})
  mkdirSync(join(root, 'usr/bin'), {recursive: true})
  await capture(['mkfifo', ...[...PLACES, 'usr/bin/unminimize'].map((place) => join(root, place))])
  assert.deepEqual(fixTree(root, FACTS, ONLY), [])
  assert.deepEqual(noteTree(openTreeView(root), FACTS), [])
})

test('a file of more than a mebibyte is left whole, not cut', async (t) => {
  const {root} = await extractionArena(t)
  plant(root, PLACES[0], ENTRY)
  truncateSync(join(root, PLACES[0]), 2 ** 20 + 1)
  assert.deepEqual(fixTree(root, FACTS, ONLY), [])
  assert.equal(lstatSync(join(root, PLACES[0])).size, 2 ** 20 + 1)
})

test('a file of a terabyte of nothing costs neither time nor memory', {timeout: 10_000}, async (t) => {
  const {root} = await extractionArena(t)
  plant(root, PLACES[2], '')
  truncateSync(join(root, PLACES[2]), 2 ** 40)
  assert.deepEqual(fixTree(root, FACTS, ONLY), [])
})

test('a flood of files is read as far as a bound', async (t) => {
  const {root} = await extractionArena(t)
  for (let index = 0; index < 1500; index++) plant(root, `etc/apt/sources.list.d/${index}.list`, ENTRY)
  fixTree(root, FACTS, ONLY)
  const folder = join(root, 'etc/apt/sources.list.d')
  const changed = readdirSync(folder).filter((name) => textOf(folder, name) !== ENTRY)
  assert.equal(changed.length, 100)
})

test('a folder in the place of the list is left alone', async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, PLACES[0]), {recursive: true})
  assert.deepEqual(fixTree(root, FACTS, ONLY), [])
})

test('a link planted for cloud-init is replaced, and the host file behind it untouched', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  mkdirSync(join(root, 'etc/cloud'), {recursive: true})
  symlinkSync(join(outside, 'sentinel.txt'), join(root, 'etc/cloud/cloud-init.disabled'))
  assert.deepEqual(fixTree(root, FACTS, ONLY), ['cloud-init'])
  assert.deepEqual(await outsideContents(), UNTOUCHED)
  assert.ok(lstatSync(join(root, 'etc/cloud/cloud-init.disabled')).isFile())
})

test('suites with control characters are no part of a note', async (t) => {
  const {root} = await extractionArena(t)
  plant(root, PLACES[0], `deb ${OLD_RELEASES} \u001b[31mkinetic main\n`)
  assert.deepEqual(noteTree(openTreeView(root), FACTS), [])
})

import assert from 'node:assert/strict'
import {test} from 'node:test'
import {fixTree} from '../../../src/rootfs/fixes/apply.js'
import {NO_ARCHIVES} from '../../../src/rootfs/fixes/apt-sources.js'
import {openTreeView} from '../../../src/rootfs/fixes/tree-view.js'
import {noteTree} from '../../../src/rootfs/tree-notes.js'
import {applyFixes} from '../../../src/rootfs/worker/api.js'
import {DEB822_SOURCES, ONE_LINE_SOURCES, plant, textOf} from '../../support/apt-tree.js'
import {treeFolder} from '../../support/extraction.js'
import {TREE_FACTS} from '../../support/tree-facts.js'
import {BARE} from '../../support/tree-process.js'

const FACTS = {...TREE_FACTS, archives: {...NO_ARCHIVES, movedSuites: ['kinetic', 'mantic']}}

for (const path of ['usr/local/sbin/unminimize', 'usr/bin/unminimize'] as const) {
  test(`a tree with ${path} is noted as minimized`, async (t) => {
    const root = await treeFolder(t)
    plant(root, path, '#!/bin/bash\n', 0o755)
    assert.deepEqual(noteTree(openTreeView(root), FACTS), [{kind: 'minimized'}])
  })
}

test('a release whose sources were sent to the old releases is noted once', async (t) => {
  const root = await treeFolder(t)
  plant(root, 'etc/apt/sources.list', ONE_LINE_SOURCES)
  fixTree(root, FACTS)
  assert.deepEqual(noteTree(openTreeView(root), FACTS), [{kind: 'archived', codename: 'kinetic'}])
})

test('a tree of nothing in particular has no notes', async (t) => {
  const root = await treeFolder(t)
  assert.deepEqual(noteTree(openTreeView(root), FACTS), [])
})

test('notes come from the worker with the names of the fixes', async (t) => {
  const root = await treeFolder(t)
  plant(root, 'etc/apt/sources.list.d/ubuntu.sources', DEB822_SOURCES)
  plant(root, 'usr/bin/unminimize', '')
  assert.deepEqual(await applyFixes(BARE, {facts: FACTS, only: ['apt-sources', 'prompt'], root}), {
    changed: ['apt-sources', 'prompt'],
    notes: [{kind: 'archived', codename: 'mantic'}, {kind: 'minimized'}],
  })
})

test('mirrors reach the worker', async (t) => {
  const root = await treeFolder(t)
  plant(root, 'etc/apt/sources.list', 'deb http://archive.ubuntu.com/ubuntu noble main\n')
  plant(root, 'etc/apt/sources.list.d/d.list', 'deb http://ftp.debian.org/debian trixie main\n')
  const archives = {ubuntuMirror: 'http://u.example/u', debianMirror: 'http://d.example/d', movedSuites: []}
  await applyFixes(BARE, {facts: {...FACTS, archives}, only: ['apt-sources'], root})
  assert.equal(textOf(root, 'etc/apt/sources.list'), 'deb http://u.example/u noble main\n')
  assert.equal(textOf(root, 'etc/apt/sources.list.d/d.list'), 'deb http://d.example/d trixie main\n')
})

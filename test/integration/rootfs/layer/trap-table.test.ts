// Tier: e2e, because each layer is a run of the worker, and each case runs in both identities.
import assert from 'node:assert/strict'
import {lstatSync} from 'node:fs'
import {mkdir, mkdtemp} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {type TestContext, test} from 'node:test'
import {sha256Of} from '../../../../src/host/digest.js'
import {openHost} from '../../../../src/host/host.js'
import {readLayerMarks} from '../../../../src/rootfs/diff/layer-marks.js'
import {
  extractLayer,
  mergeLayers,
  removeTree,
  type StoredLayerFiles,
  type TreeProcess,
} from '../../../../src/rootfs/worker/api.js'
import {dir, gone, hard, layer, listTree, put} from '../../../support/image-layers.js'
import {TRAPS, type Trap} from '../../../support/layer-traps.js'
import {BARE, MAPPED, missingMapping} from '../../../support/tree-process.js'

const TREES = [
  {identity: 'mapped', process: MAPPED, owners: 'keep', skip: await missingMapping()},
  {identity: 'emulated', process: BARE, owners: 'caller', skip: false},
] as const

/** Unpacks layers, and merges them. */
async function stack(
  t: TestContext,
  {process, owners}: {readonly process: TreeProcess; readonly owners: 'keep' | 'caller'},
  {layers, workingFolder}: Pick<Trap, 'layers' | 'workingFolder'>,
): Promise<{root: string; ledger: string}> {
  const folder = await mkdtemp(join(tmpdir(), 'envs-test-'))
  t.after(() => removeTree(process, folder))
  const stored: StoredLayerFiles[] = []
  for (const [index, bytes] of layers.entries()) {
    const own = join(folder, String(index))
    await mkdir(own)
    const files = {
      tree: join(own, 'tree'),
      changes: join(own, 'changes.json'),
      ledger: join(own, 'ledger.jsonl'),
    }
    const report = await extractLayer(process, Readable.from([bytes]), {...files, owners})
    assert.equal(report.diffId, sha256Of(bytes))
    stored.push(files)
  }
  const [root, ledger] = [join(folder, 'root'), join(folder, 'ledger.jsonl')]
  await mkdir(root)
  await mergeLayers(process, {layers: stored, root, ledger, workingFolder, owners})
  return {root, ledger}
}

const D = 'd 755 0:0'

/** The same tree where all files are the caller's, whom the guest sees as root. */
function ownedByRoot(tree: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, line]) => [path, line.replace(/(?<= )\d+:\d+(?= |$)/, '0:0')]),
  )
}

/** As root of a namespace, who may list folders of mode 0. */
const CALLER_AS_ROOT = {prefix: ['unshare', '--map-root-user', '--']}

for (const {identity, skip, ...tree} of TREES) {
  for (const [title, {expected, ...image}] of Object.entries(TRAPS)) {
    test(`${identity}: ${title}`, {skip}, async (t) => {
      const {root} = await stack(t, tree, image)
      const whole = {'.': D, ...expected}
      if (identity === 'mapped') assert.deepEqual(listTree(MAPPED, root), whole)
      else assert.deepEqual(listTree(CALLER_AS_ROOT, root), ownedByRoot(whole))
    })
  }
}

const ATTRIBUTED = [
  layer(
    dir('d', {mode: 0o555, attributes: {'user.folder': '1'}}),
    put('d/x', '1', {mode: 0o444, attributes: {'user.note': 'a\0\xff', 'user.overlay.redirect': '/y'}}),
    put('y', '1', {mode: 0o600, attributes: {'user.gone': '1'}}),
    dir('e', {attributes: {'user.gone': '1'}}),
    put('s', '1', {mode: 0o4711, attributes: {'user.s': ''}}),
    // Of two entries with a name, the last one counts.
    put('t', '1', {attributes: {'user.gone': '1'}}),
    put('t', '2'),
  ),
  layer(
    put('y', '2'),
    put('d/z', '3', {attributes: {'user.overlay.opaque': 'y'}}),
    hard('h', 'd/x'),
    dir('e', {attributes: {'user.overlay.opaque': 'y'}}),
  ),
]

for (const {identity, skip, ...tree} of TREES)
  test(`${identity}: attributes of users are kept, and those of overlayfs are not`, {skip}, async (t) => {
    const {root} = await stack(t, tree, {layers: ATTRIBUTED})
    const [marks] = await readLayerMarks([root], openHost(), {withUsers: true})
    const found = [...(marks?.users ?? [])].map(([path, all]) => [
      path,
      Object.fromEntries([...all].map(([name, value]) => [name, value.toString('latin1')])),
    ])
    assert.deepEqual(Object.fromEntries(found), {
      d: {'user.folder': '1'},
      'd/x': {'user.note': 'a\0\xff'},
      h: {'user.note': 'a\0\xff'},
      s: {'user.s': ''},
    })
    assert.deepEqual(marks?.opaque, new Set())
    assert.deepEqual(
      ['d', 'd/x', 's'].map((path) => (lstatSync(join(root, path)).mode & 0o7777).toString(8)),
      ['555', '444', '4711'],
    )
  })

test('a name that leads out of the layer is refused', async (t) => {
  const tree = {process: BARE, owners: 'caller'} as const
  for (const members of [[put('../up', '1')], [gone('../up')], [dir('d'), hard('d/x', '../../up')]])
    await assert.rejects(stack(t, tree, {layers: [layer(...members)]}), {
      code: 'ENVS_ARCHIVE_REFUSED',
      exitCode: 6,
    })
})

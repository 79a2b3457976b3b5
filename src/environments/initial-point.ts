import {randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import type {Host} from '../host/host.js'
import {NO_ARCHIVES} from '../rootfs/apt/archives.js'
import {CLONE_FIXES} from '../rootfs/fixes/list.js'
import {applyFixes} from '../rootfs/tree-process.js'
import {anchorFiles} from '../sandbox/anchor-state.js'
import type {Snapshot} from '../storage/history.js'
import {layerFiles} from '../storage/layer-files.js'
import {type LayerId, newLayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'
import {freeLabel} from '../storage/snapshot-label.js'
import type {AtRest} from './at-rest.js'
import {readLayerRecord} from './image-layer-record.js'
import {removeLayerFolder} from './layer-folders.js'
import {mergedProcess} from './merged-tree.js'
import {writePersonalFiles} from './personal-files.js'
import {newTreeFacts} from './tree-facts.js'

/** What everybody would look for. */
const LABEL = 'initial'

/**
 * The state an environment was created with: the image, and files of the environment's own.
 *
 * @returns The snapshot there is; the present state where nothing has run yet; else one that is to be, of a new layer.
 */
export async function initialPoint(
  host: Host,
  found: AtRest,
  {isSynced}: {isSynced: boolean},
): Promise<Snapshot> {
  const {environment, history} = found
  const {name, files} = environment
  const known = history.snapshots.find(({kind}) => kind === 'initial')
  if (known !== undefined) return known
  const [base] = history.layers
  const isUntouched = history.layers.length === 1 && !existsSync(anchorFiles(files.run).state)
  const own = isUntouched ? history.upper : await makePersonalLayer(host, found, {base, isSynced})
  return {
    label: freeLabel(history, LABEL),
    kind: 'initial',
    createdAt: environment.record.createdAt,
    layers: [base, own],
    name,
  }
}

async function makePersonalLayer(
  host: Host,
  {environment}: AtRest,
  {base, isSynced}: {base: LayerId; isSynced: boolean},
): Promise<LayerId> {
  const {layers} = host.paths
  const {identity} = environment.record
  const id = newLayerId(identity)
  await makeUpper(layers, id, {below: base})
  try {
    await fill(host, {environment, base, id, isSynced})
    return id
  } catch (error) {
    await removeLayerFolder(host, {identity, folder: layerFiles(layers, id).folder})
    throw error
  }
}

type Layer = Pick<AtRest, 'environment'> & {
  readonly base: LayerId
  readonly id: LayerId
  readonly isSynced: boolean
}

/** By the plan that the image's layer has; else by making it again. */
async function fill(host: Host, {environment, base, id, isSynced}: Layer): Promise<void> {
  const {name, record} = environment
  const {layers} = host.paths
  const image = await readLayerRecord(layerFiles(layers, base).record)
  if (image !== undefined) {
    const machineId = randomBytes(16).toString('hex')
    await writePersonalFiles(layerFiles(layers, id).tree, image.personal, {name, machineId, isSynced})
    return
  }
  const tree = {kind: 'overlay', history: {layers: [base], upper: id, snapshots: []}} as const
  const {process, root} = await mergedProcess(host, environment, tree)
  const facts = newTreeFacts(host, {name, identity: record.identity, archives: NO_ARCHIVES})
  await applyFixes(process, {root, facts, only: CLONE_FIXES})
}

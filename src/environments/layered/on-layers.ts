import {copyFile, mkdir} from 'node:fs/promises'
import {ignoreFailure, ignoring} from '../../host/errno.js'
import {makeFolders, syncFileSystem, syncFilesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {NO_ARCHIVES} from '../../rootfs/fixes/apt-sources.js'
import {CLONE_FIXES} from '../../rootfs/fixes/index.js'
import {applyFixes} from '../../rootfs/worker/api.js'
import {
  type EnvironmentName,
  environmentFiles,
  filesIn,
  makeStore,
  moveIntoPlace,
  syncNames,
} from '../../store/environments.js'
import {leftoverFolder, removeLayerFolder, removeLeftover} from '../../store/gc.js'
import {type History, type Snapshot, topLayer, writeHistory} from '../../store/history.js'
import {presentIdMap} from '../../store/integrity/id-maps.js'
import {requireLayers} from '../../store/integrity/lost-layers.js'
import {layerFiles, makeUpper, newLayerId, shareLayerFolders} from '../../store/layers.js'
import {mergedProcess} from '../../store/mounted-tree.js'
import {writeRecord} from '../../store/record.js'
import {recordUsage} from '../../store/sizes.js'
import {newTreeFacts} from '../create/own-files.js'
import {markTry} from '../try/tries.js'
import type {KnownState} from './known-layers.js'

type OnLayers = {
  /** A throwaway name that the caller has claimed. */
  readonly name: EnvironmentName
  readonly state: KnownState
  /** Whether the new files are synced to the disk. */
  readonly isSynced: boolean
}

/**
 * Makes a throwaway environment above layers that others have: a machine of its own, with new keys and a new machine id. Copies no
 * file. The caller holds the lock of the layers.
 */
export async function makeOnLayers(host: Host, {name, state, isSynced}: OnLayers): Promise<void> {
  const {record, snapshot, ledger} = state
  const {identity} = record
  const {paths} = host
  requireLayers({name, paths}, snapshot.layers)
  await makeStore(paths)
  const folder = leftoverFolder(paths, {kind: 'partial', identity, name})
  const upper = newLayerId(identity)
  const files = filesIn(folder)
  let isPublished = false
  try {
    await mkdir(folder, {mode: 0o700})
    shareLayerFolders(paths.layers, snapshot.layers)
    await makeUpper(paths.layers, upper, {below: topLayer(snapshot.layers)})
    const history: History = {
      layers: snapshot.layers,
      upper,
      snapshots: [withoutPast(snapshot)],
      after: snapshot.label,
    }
    const tree = {kind: 'overlay', history} as const
    const {process, root} = await mergedProcess(host, {name, files, record: {identity}}, tree)
    const facts = newTreeFacts(host, {name, identity, archives: NO_ARCHIVES})
    await applyFixes(process, {root, facts, only: CLONE_FIXES})
    await copyFile(ledger, files.ledger).catch(ignoring('ENOENT'))
    await writeHistory(files.history, history, {isSynced: false})
    await makeFolders(files.run, {mode: 0o700})
    const now = host.now()
    await recordUsage(folder, {sizeBytes: 0, measuredAt: now, layer: upper})
    await markTry(folder)
    const {ids: _, ...copied} = record
    const ids = identity === 'mapped' ? await presentIdMap(host) : undefined
    const own = {...copied, createdAt: now, settings: {}, ...(ids === undefined ? {} : {ids})}
    await writeRecord(files.record, own, {isSynced: false})
    if (isSynced) await Promise.all([syncFileSystem(folder), syncFilesIn(folder)])
    moveIntoPlace(folder, environmentFiles(paths, name))
    isPublished = true
    await syncNames(paths)
  } finally {
    if (!isPublished) {
      await removeLayerFolder(host, {identity, folder: layerFiles(paths.layers, upper).folder}).catch(
        ignoreFailure,
      )
      await removeLeftover(host, {kind: 'partial', identity, name, folder}).catch(ignoreFailure)
    }
  }
}

/** Of another history, whose labels this one has not. */
function withoutPast({after: _, ...snapshot}: Snapshot): Snapshot {
  return snapshot
}

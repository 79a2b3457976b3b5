import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import type {TreeProcess} from '../../rootfs/worker/api.js'
import type {PackLayerRequest} from '../../rootfs/worker/protocol.js'
import type {Environment} from '../../store/environments.js'
import {layerLedger} from '../../store/gc.js'
import {type History, type Snapshot, topLayer} from '../../store/history.js'
import {requireSameIds} from '../../store/integrity/id-maps.js'
import {type LayerId, layerFiles, readLayerRecord} from '../../store/layers.js'
import {layersProcess, readGuestTree, requireTree, treeFolders} from '../../store/mounted-tree.js'
import {ownFileOf} from '../diff.js'
import {readableTree} from '../export/export.js'

/** A layer of the environment that can be packed. */
export type PlannedLayer = {
  readonly request: PackLayerRequest
  /** Set for the layer of an image: its files never change. */
  readonly id: LayerId | undefined
  /** When it was finished; undefined for the present state. */
  readonly finishedAt: Date | undefined
  readonly label: string | undefined
}

export type PublishPlan = {
  readonly process: TreeProcess
  /** From the bottom upwards. */
  readonly layers: readonly [PlannedLayer, ...PlannedLayer[]]
}

/**
 * Plans the layers of a stopped environment: that of its image, one for each snapshot below the present state, then the upper one.
 *
 * @param options.isSquashed - One layer with all files.
 * @throws As `readableTree`.
 */
export async function planLayers(
  host: Host,
  {environment, lock}: {readonly environment: Environment; readonly lock: Lock},
  {isSquashed, latest}: {readonly isSquashed: boolean; readonly latest: number | undefined},
): Promise<PublishPlan> {
  const {files, record} = environment
  const common = {
    owners: record.identity === 'mapped' ? 'keep' : 'caller',
    ...(latest === undefined ? {} : {latest}),
  } as const
  const tree = await readGuestTree(environment)
  if (isSquashed || tree.kind === 'directory') {
    const {process, root} = await readableTree(host, {environment, lock})
    const base = tree.kind === 'overlay' ? tree.history.layers[0] : undefined
    const personal = await personalFiles(host, base)
    const request = {...common, root, kind: 'whole', below: [], ledger: files.ledger, personal} as const
    return {process, layers: [{request, id: undefined, finishedAt: undefined, label: undefined}]}
  }
  await requireSameIds(host, environment)
  requireTree({name: environment.name, paths: host.paths}, tree)
  const process = {...(await layersProcess(host, environment, tree.history)), held: [lock.fd]}
  const [base] = tree.history.layers
  const personal = await personalFiles(host, base)
  const isImage = (await readLayerRecord(layerFiles(host.paths.layers, base).record)) !== undefined
  const folders = [...treeFolders(host.paths, tree)].reverse()
  const [lowest, ...others] = folders.map((root, index): PlannedLayer => {
    const below = folders.slice(0, index).reverse()
    const id = tree.history.layers[index]
    const isBase = index === 0
    const kind = !isBase ? 'changes' : isImage ? 'image' : 'whole'
    const ledger = isBase && isImage ? layerLedger(layerFiles(host.paths.layers, base).folder) : files.ledger
    const snapshot = id === undefined ? undefined : snapshotOf(tree.history, id)
    return {
      request: {...common, root, kind, below, ledger, personal},
      id: isBase && isImage ? id : undefined,
      finishedAt: snapshot?.createdAt,
      label: snapshot?.label,
    }
  })
  if (lowest === undefined) throw new Error('a history has no layer')
  return {process, layers: [lowest, ...others]}
}

/** Returns the snapshot that a layer is the top of. */
function snapshotOf({snapshots}: History, id: LayerId): Snapshot | undefined {
  return snapshots.find(({layers}) => topLayer(layers) === id)
}

/** Returns the files that envs has written into the environment, by the record of its image's layer. */
async function personalFiles(
  {paths}: Pick<Host, 'paths'>,
  base: LayerId | undefined,
): Promise<PackLayerRequest['personal']> {
  const record = base === undefined ? undefined : await readLayerRecord(layerFiles(paths.layers, base).record)
  const personal = record?.personal ?? []
  return {files: personal.map(ownFileOf), folders: personal.flatMap(({folders}) => folders)}
}

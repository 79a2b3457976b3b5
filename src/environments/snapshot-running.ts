import {mkdir, statfs} from 'node:fs/promises'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {copyTree} from '../rootfs/copy.js'
import {measureTrees} from '../rootfs/tree-process.js'
import {type Anchor, readLiveAnchor} from '../sandbox/anchor-state.js'
import {whileFrozen} from '../sandbox/freeze.js'
import {listProcesses} from '../sandbox/processes.js'
import {LayerSpaceError} from '../storage/errors.js'
import {findSnapshot, type History, withCopiedSnapshot} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {type LayerId, newLayerId} from '../storage/layer-id.js'
import {timeLabel} from '../storage/snapshot-label.js'
import {findWithHistory} from './at-rest.js'
import {lockHistory} from './history-lock.js'
import {removeLayerFolder} from './layer-folders.js'
import {holdLayers} from './layer-locks.js'
import {lockEnvironment} from './locks.js'
import type {SnapshotRequest, TakenSnapshot} from './snapshot.js'
import {FreezeFailedError, SnapshotExistsError} from './snapshot-errors.js'
import type {Environment} from './store.js'
import {rootProcess, toolPath} from './toolbox.js'

/** File systems that can share the blocks of a copy. @see statfs(2) */
const BTRFS_SUPER_MAGIC = 0x9123683e
const XFS_SUPER_MAGIC = 0x58465342

/**
 * A snapshot of an environment that runs: what it has written is copied while all of it stands still.
 *
 * @returns undefined when nothing of it runs any more.
 * @throws As `takeSnapshot`.
 */
export async function snapshotRunning(
  host: Host,
  text: string,
  request: SnapshotRequest,
): Promise<TakenSnapshot | undefined> {
  const {name} = await findWithHistory(host, text)
  const lock = await lockEnvironment(host.paths, name, 'shared')
  try {
    const environment = await findWithHistory(host, name)
    const historyLock = await lockHistory(environment)
    try {
      const anchor = readLiveAnchor(environment.files.run)
      return anchor === undefined ? undefined : await copyUpper(host, environment, {anchor, request})
    } finally {
      historyLock.release()
    }
  } finally {
    lock.release()
  }
}

type Work = {readonly anchor: Anchor; readonly request: SnapshotRequest}

async function copyUpper(
  host: Host,
  environment: Environment,
  {anchor, request}: Work,
): Promise<TakenSnapshot> {
  const {name, files, record} = environment
  const {layers} = host.paths
  const before = await readHistory(files.history)
  const now = host.now()
  const label = request.label ?? timeLabel(before, now)
  if (findSnapshot(before, label) !== undefined) throw new SnapshotExistsError(name, label)
  const held = await holdLayers(host.paths)
  const copy = newLayerId(record.identity)
  const {folder} = layerFiles(layers, copy)
  try {
    await mkdir(folder, {mode: 0o700})
    const copiedBytes = await checkSpace(host, environment, before)
    const frozenMs = await copyFrozen(host, environment, {anchor, from: before.upper, copy, request})
    if (request.isSynced) await capture(['sync', '-f', folder])
    const after = withCopiedSnapshot(
      await readHistory(files.history),
      {label, kind: 'manual', name},
      {
        now,
        copy,
        before,
      },
    )
    await writeHistory(files.history, after)
    return {name, label, createdAt: now, copiedBytes, frozenMs}
  } catch (error) {
    await removeLayerFolder(host, {identity: record.identity, folder})
    throw error
  } finally {
    held.release()
  }
}

/** @returns What is to be copied. @throws {LayerSpaceError} Unless the file system may need less for a copy. */
export async function checkSpace(host: Host, {record}: Environment, {upper}: History): Promise<number> {
  const {tree} = layerFiles(host.paths.layers, upper)
  const [usage] = await measureTrees(await rootProcess(host, record.identity), [tree])
  const neededBytes = usage?.sizeBytes ?? 0
  const {type, bavail, bsize} = await statfs(host.paths.layers)
  const freeBytes = bavail * bsize
  if (neededBytes > freeBytes && type !== BTRFS_SUPER_MAGIC && type !== XFS_SUPER_MAGIC)
    throw new LayerSpaceError(host.paths.layers, {neededBytes, freeBytes})
  return neededBytes
}

/** @returns How long everything stood still. @throws {FreezeFailedError} */
export async function copyFrozen(
  host: Host,
  {name, record}: Environment,
  {
    anchor,
    from,
    copy,
    request,
  }: {
    readonly anchor: Anchor
    readonly from: LayerId
    readonly copy: LayerId
    readonly request: Pick<SnapshotRequest, 'signal'>
  },
): Promise<number> {
  const {layers} = host.paths
  const plan = {
    cp: toolPath(host, 'cp'),
    from: layerFiles(layers, from).tree,
    to: layerFiles(layers, copy).tree,
    keepOwners: record.identity === 'mapped',
  }
  const reader = await rootProcess(host, record.identity)
  const frozen = await whileFrozen(anchor, {nsenter: toolPath(host, 'nsenter')}, () =>
    copyTree(reader, plan, {signal: request.signal}),
  )
  if (frozen.isFrozen) return frozen.frozenMs
  const commands = listProcesses(anchor)
    .filter(({hostPid}) => frozen.pids.includes(hostPid))
    .map(({command}) => command)
  throw new FreezeFailedError(name, commands)
}

import {randomBytes} from 'node:crypto'
import {existsSync, statSync} from 'node:fs'
import {rename} from 'node:fs/promises'
import {join} from 'node:path'
import {EnvsError} from '../errors.js'
import {ignoreFailure, isErrno} from '../host/errno.js'
import {namesIn} from '../host/files.js'
import type {Host} from '../host/host.js'
import {type Lock, takeLock} from '../host/locks.js'
import type {Paths} from '../host/paths.js'
import {removeTree} from '../rootfs/worker/api.js'
import type {Identity} from '../sandbox/identity.js'
import {
  type Environment,
  type EnvironmentFiles,
  type EnvironmentName,
  environmentFiles,
  filesIn,
  isEnvironmentName,
  listNames,
  listRemoved,
} from './environments.js'
import {HistoryUnreadableError} from './errors.js'
import {type History, layersOf, readHistory} from './history.js'
import {withReserve} from './integrity/reserve.js'
import {identityOf, isOwnLayer, type LayerId, layerFiles, listLayers, removeEmptyLayer} from './layers.js'
import {holdLayers, tryLockLayers} from './locks.js'
import {treeProcess} from './tools.js'

/** A folder of the store that is being made into an environment, or being removed. */
export type Leftover = {
  readonly kind: 'partial' | 'removed'
  readonly identity: Identity
  readonly name: EnvironmentName
  readonly folder: string
}

/** The name has the identity: only root of the identity that made a tree can remove it. */
const LEFTOVER_FORM = /^\.(?<kind>partial|removed)\.(?<identity>mapped|emulated)\.[0-9a-f]{8}\.(?<name>.+)$/

/** Returns a new path for a folder that is being made or removed; the suffix is random. */
export function leftoverFolder(paths: Paths, {kind, identity, name}: Omit<Leftover, 'folder'>): string {
  return join(paths.environments, `.${kind}.${identity}.${randomBytes(4).toString('hex')}.${name}`)
}

/**
 * Removes folders that killed commands left. Skips a folder whose environment is locked: another command works on it.
 *
 * @returns The removed leftovers, in no order. The next sweep tries the others again.
 */
export async function sweepLeftovers(host: Host): Promise<Leftover[]> {
  const swept: Leftover[] = []
  for (const leftover of findLeftovers(host.paths)) {
    if (await sweep(host, leftover)) swept.push(leftover)
  }
  return swept
}

/** Returns false when the leftover can't be removed: garbage collection must not fail the command that runs it. */
async function sweep(host: Host, leftover: Leftover): Promise<boolean> {
  const lock = await tryLock(host.paths, leftover)
  if (lock === undefined) return false
  try {
    return (await removeLeftover(host, leftover)).failures.length === 0
  } catch (error) {
    if (!(error instanceof EnvsError)) throw error
    return false
  } finally {
    lock.release()
  }
}

/** @returns undefined when another command holds the lock. */
function tryLock(paths: Paths, {name}: Leftover): Promise<Lock | undefined> {
  return takeLock(environmentFiles(paths, name).lock, {mode: 'exclusive', waitMs: 0}).catch(ignoreFailure)
}

/** Lists the leftovers that {@link sweepLeftovers} would remove now. */
export async function listLeftovers({paths}: Pick<Host, 'paths'>): Promise<Leftover[]> {
  const free: Leftover[] = []
  for (const leftover of findLeftovers(paths)) {
    const lock = await tryLock(paths, leftover)
    if (lock !== undefined) free.push(leftover)
    lock?.release()
  }
  return free
}

/** Removes a leftover. The caller holds the lock of its environment. */
export async function removeLeftover(
  host: Host,
  {identity, folder}: Leftover,
): ReturnType<typeof removeTree> {
  return removeTree(await treeProcess(host, identity), folder)
}

/** Returns whether an entry of the folder of environments is a leftover, or the work of a running command. */
export function isLeftover(paths: Paths, entry: string): boolean {
  return parseLeftover(paths, entry) !== undefined
}

/** Returns whether an entry of the folder of layers is a leftover, or the work of a running command. */
export function isLayerLeftover(entry: string): boolean {
  return LAYER_FOLDER_FORM.test(entry)
}

function findLeftovers(paths: Paths): Leftover[] {
  return namesIn(paths.environments).flatMap((entry) => parseLeftover(paths, entry) ?? [])
}

function parseLeftover(paths: Paths, entry: string): Leftover | undefined {
  const {kind, identity, name} = LEFTOVER_FORM.exec(entry)?.groups ?? {}
  if (kind !== 'partial' && kind !== 'removed') return undefined
  if (identity !== 'mapped' && identity !== 'emulated') return undefined
  if (name === undefined || !isEnvironmentName(name)) return undefined
  return {kind, identity, name, folder: join(paths.environments, entry)}
}

/** Environments whose layers do not count. */
export type Uncounted = {
  /** Their names. */
  readonly except?: ReadonlySet<string>
  /** Whether those that were removed, and can be recovered, do not count either. */
  readonly exceptRemoved?: boolean
}

/**
 * Counts the environments that use each layer, in their present state or in a snapshot. A removed environment that can be recovered
 * counts. Skips unreadable histories.
 */
export async function countClaims(
  paths: Paths,
  {except = new Set(), exceptRemoved = false}: Uncounted = {},
): Promise<ReadonlyMap<LayerId, number>> {
  const claims = new Map<LayerId, number>()
  const names = (await listNames(paths)).filter((each) => !except.has(each))
  for (const path of historyPaths(paths, names, {exceptRemoved})) {
    const history = await readHistory(path).catch(unlessUnknown)
    if (history === undefined) continue
    for (const layer of layersOf(history)) claims.set(layer, (claims.get(layer) ?? 0) + 1)
  }
  return claims
}

function historyPaths(
  paths: Paths,
  names: readonly EnvironmentName[],
  {exceptRemoved = false}: Uncounted = {},
): string[] {
  return [
    ...names.map((name) => environmentFiles(paths, name).history),
    ...(exceptRemoved ? [] : listRemoved(paths).map(({folder}) => filesIn(folder).history)),
  ]
}

function unlessUnknown(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT') && !(error instanceof HistoryUnreadableError)) throw error
}

/**
 * Calls `work`, which makes layers for an environment and names them in its history, under the shared lock of the layers. Then
 * removes layers that neither the old history nor the new one names.
 *
 * @param before - The history in force, under a lock of the caller.
 * @throws {@link layersBusyError}
 */
export async function withNewLayers<T>(
  host: Host,
  {files, before}: Pick<Environment, 'files'> & {readonly before: History},
  work: () => Promise<T>,
): Promise<T> {
  const held = await holdLayers(host.paths)
  try {
    return await work()
  } finally {
    held.release()
    const after = await readHistory(files.history).catch(unlessUnknown)
    await sweepLayers(host, new Set([...layersOf(before), ...(after === undefined ? [] : layersOf(after))]))
  }
}

/** Commands of version 0.1 name a new layer in a history within this time, and do not hold the lock of the layers until then. */
const MOST_UNNAMED_MS = 10 * 60 * 1000

/** A folder among the layers that is being made, used for a trial, or being removed. The name has the identity. */
const LAYER_FOLDER_FORM = /^\.(?<kind>partial|trial|removed)\.(?<identity>mapped|emulated)\./

/**
 * Removes layers that no environment uses, and folders that killed commands left among them. Keeps the layers of images for the
 * next environment.
 *
 * Ignores failures, and does nothing while another command makes a layer: garbage collection must not fail the command that
 * runs it.
 *
 * @param given - Layers that an environment used until now. Other layers of version 0.1 must be old enough to be leftovers.
 * @param images - Layers of images to remove as well.
 * @returns The folders of given layers that could not be removed. The next sweep tries again.
 */
export async function sweepLayers(
  host: Host,
  given: ReadonlySet<LayerId> = NONE,
  images: ReadonlySet<LayerId> = NONE,
): Promise<string[]> {
  const left: string[] = []
  // Where the store can't be read or locked, any of the given layers may be used by another environment, and stays.
  const found = await moveAside(host, given, images).catch(ignoreFailure)
  if (found === undefined) return ownFolders(host.paths, given)
  for (const {folder, identity, isGiven, isStuck} of found) {
    const removal =
      isStuck === true ? undefined : await removeLayerFolder(host, {folder, identity}).catch(ignoreFailure)
    if (isGiven === true && removal?.failures.length !== 0) left.push(folder)
  }
  return left
}

const NONE: ReadonlySet<LayerId> = new Set()

/** Returns the folders of those layers that one environment alone has ever named. */
function ownFolders({layers}: Paths, ids: ReadonlySet<LayerId>): string[] {
  return [...ids].filter((id) => isOwnLayer(layers, id)).map((id) => layerFiles(layers, id).folder)
}

/** An unused layer, or a folder that a killed command left among the layers. */
export type LayerLeftover = {
  readonly folder: string
  readonly identity: Identity
  /** Whether it is a layer that an environment used until now. */
  readonly isGiven?: boolean
  /** Whether it could not be moved aside, so that it is still where it was. */
  readonly isStuck?: boolean
}

/** Lists the folders that {@link sweepLayers} would remove now; empty while another command makes a layer. */
export async function findLayerLeftovers(host: Host): Promise<LayerLeftover[]> {
  const lock = await tryLockLayers(host.paths).catch(ignoreFailure)
  if (lock === undefined) return []
  try {
    const ids = await unnamedLayers(host, NONE, NONE)
    const unnamed = ids.map((id) => ({
      folder: layerFiles(host.paths.layers, id).folder,
      identity: identityOf(id),
    }))
    return [...leftoversOf(host), ...unnamed]
  } finally {
    lock.release()
  }
}

async function moveAside(
  host: Host,
  given: ReadonlySet<LayerId>,
  images: ReadonlySet<LayerId>,
): Promise<LayerLeftover[]> {
  // Look without the lock first, because taking it starts a program: mostly there is nothing to remove.
  const isTidy = (await unnamedLayers(host, given, images)).length === 0 && leftoversOf(host).length === 0
  if (isTidy) return []
  const lock = await tryLockLayers(host.paths)
  if (lock === undefined) return []
  try {
    const unnamed = await unnamedLayers(host, given, images)
    const aside = leftoversOf(host)
    for (const id of unnamed) {
      const identity = identityOf(id)
      const from = layerFiles(host.paths.layers, id).folder
      const folder = join(host.paths.layers, `.removed.${identity}.${randomBytes(4).toString('hex')}`)
      const isStuck = !(await isMoved(host.paths, from, folder))
      aside.push({folder: isStuck ? from : folder, identity, isGiven: given.has(id), isStuck})
    }
    return aside
  } finally {
    lock.release()
  }
}

/** Renames a folder. Returns false on failure, so that the other folders are still moved. */
async function isMoved(paths: Paths, from: string, to: string): Promise<boolean> {
  try {
    // A rename needs space too where a quota counts what the file system writes for it, as btrfs does.
    await withReserve(paths, () => rename(from, to))
    return true
  } catch (error) {
    ignoreFailure(error)
    return false
  }
}

async function unnamedLayers(
  host: Host,
  given: ReadonlySet<LayerId>,
  images: ReadonlySet<LayerId>,
): Promise<LayerId[]> {
  const {named, isComplete} = await namedLayers(host.paths)
  const isUnused = (id: LayerId) =>
    isComplete
      ? images.has(id) || isUnusedLayer(host, id, given)
      : // An environment whose history can't be read may use any layer, but those that another one alone has named.
        given.has(id) && isOwnLayer(host.paths.layers, id)
  return (await listLayers(host.paths.layers)).filter((id) => !named.has(id) && isUnused(id))
}

/** @returns `isComplete` is false when a history can't be read: any other layer may be in use then. */
async function namedLayers(paths: Paths): Promise<{named: ReadonlySet<LayerId>; isComplete: boolean}> {
  const named = new Set<LayerId>()
  let isComplete = true
  for (const path of historyPaths(paths, await listNames(paths))) {
    try {
      const history = await readHistory(path)
      for (const id of layersOf(history)) named.add(id)
    } catch (error) {
      if (!(error instanceof HistoryUnreadableError) && !isErrno(error)) throw error
      if (!isErrno(error, 'ENOENT')) isComplete = false
    }
  }
  return {named, isComplete}
}

function isUnusedLayer({paths, now}: Host, id: LayerId, given: ReadonlySet<LayerId>): boolean {
  const {folder, record, incomplete} = layerFiles(paths.layers, id)
  if (existsSync(record)) return false
  if (given.has(id) || existsSync(incomplete) || isOwnLayer(paths.layers, id)) return true
  return ageMs(folder, now()) > MOST_UNNAMED_MS
}

/** Their makers hold the lock of the layers: what is there under the exclusive lock was left by a killed command. */
function leftoversOf({paths}: Host): LayerLeftover[] {
  const found: LayerLeftover[] = []
  for (const name of namesIn(paths.layers)) {
    const {identity} = LAYER_FOLDER_FORM.exec(name)?.groups ?? {}
    if (identity !== 'mapped' && identity !== 'emulated') continue
    found.push({folder: join(paths.layers, name), identity})
  }
  return found
}

function ageMs(folder: string, now: Date): number {
  const status = statSync(folder, {throwIfNoEntry: false})
  return status === undefined ? 0 : now.getTime() - status.mtimeMs
}

/** Returns the path of a layer's ledger: files and metadata of the image that the tree lacks; missing when it lacks nothing. */
export function layerLedger(folder: string): string {
  return join(folder, 'ledger.jsonl')
}

/** Removes the folder of a layer, complete or not; does nothing when it is missing. */
export async function removeLayerFolder(
  host: Host,
  {identity, folder}: {identity: Identity; folder: string},
): ReturnType<typeof removeTree> {
  // Most are empty: those are removed without a program, and without a uid map.
  if (removeEmptyLayer(folder)) return {failures: []}
  return removeTree(await treeProcess(host, identity), folder)
}

/**
 * Removes a layer that was made for a new history, unless that history is in force: writing it may have failed in the sync after
 * the rename.
 */
export async function removeUnlessNamed(
  host: Host,
  {history}: Pick<EnvironmentFiles, 'history'>,
  id: LayerId,
): Promise<void> {
  if (layersOf(await readHistory(history)).has(id)) return
  const {folder} = layerFiles(host.paths.layers, id)
  await removeLayerFolder(host, {identity: identityOf(id), folder})
}

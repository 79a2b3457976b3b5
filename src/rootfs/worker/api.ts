import {lstatSync} from 'node:fs'
import {Readable} from 'node:stream'
import {isErrno} from '../../host/errno.js'
import {capture, ended, startGroup} from '../../host/process.js'
import type {DebFile} from '../debs/deb.js'
import type {UnpackDebsReport} from '../debs/unpack.js'
import type {TreeDifference} from '../diff/report.js'
import type {ExportReport} from '../export/export.js'
import type {ExtractReport} from '../extract.js'
import type {Facts} from '../fixes/fix.js'
import type {LayerReport} from '../layer/extract.js'
import type {PackLayerReport} from '../layer/pack.js'
import type {LedgerCounts} from '../ledger/ledger.js'
import type {RestoreReport} from '../ledger/owners.js'
import type {RemoveReport} from '../remove.js'
import type {OwnerRule} from '../tree/owners.js'
import {type ArchiveSource, ask, type ExtractProgress, type TreeProcess} from './client.js'
import type {
  CompareRequest,
  ExportRequest,
  ExtractLayerRequest,
  FixReport,
  LedgerRequest,
  MergeRequest,
  PackedImage,
  PackLayerRequest,
  PackRequest,
  SettleReport,
  SettleRequest,
  UnpackRequest,
} from './protocol.js'

export type {OwnFile} from '../diff/packages.js'
export type {TreeDifference} from '../diff/report.js'
export type {ExtractReport} from '../extract.js'
export type {ArchiveFacts} from '../fixes/apt-sources.js'
export type {PlannedFile} from '../fixes/edits.js'
export type {Facts} from '../fixes/fix.js'
export type {LayerReport} from '../layer/extract.js'
export type {StoredLayerFiles} from '../layer/merge.js'
export type {LedgerCounts} from '../ledger/ledger.js'
export type {RestoreReport} from '../ledger/owners.js'
export type {TreeNote} from '../tree-notes.js'
export type {ExtractProgress, TreeProcess} from './client.js'

/**
 * Extracts a tarball into `root`, a folder that is empty or contains the layers below. After an error or an abort the tree is
 * incomplete.
 *
 * @param ledger - Path of the ledger, which records the metadata that the tree lacks: outside of the tree, new with the first layer.
 * @param onProgress - Called at most ten times a second.
 * @throws {WorkerFailure} With the code of the error: ENVS_ARCHIVE_CORRUPT, ENVS_STORAGE_FULL, …
 * @throws {WorkerDiedError}
 * @throws The error of a failed source; the signal's reason after an abort. The worker has ended then.
 */
export async function extractRootfs(
  tree: TreeProcess,
  source: ArchiveSource,
  {root, owners, ledger}: {root: string; owners: OwnerRule; ledger?: string},
  options: {signal?: AbortSignal; onProgress?: (progress: ExtractProgress) => void} = {},
): Promise<ExtractReport> {
  const request = {root, owners, ...(ledger === undefined ? {} : {ledger})}
  return ask(tree, 'extract', {request, ...options, source})
}

/**
 * Extracts one layer of a container image into an empty folder, and writes the files beside it.
 *
 * @param bytes - The layer as it is stored, compressed or not; or one byte for each growth of the file in `request.part`.
 * @throws As {@link extractRootfs}.
 */
export async function extractLayer(
  tree: TreeProcess,
  bytes: Readable,
  request: ExtractLayerRequest,
  options: {signal?: AbortSignal; onProgress?: (progress: ExtractProgress) => void} = {},
): Promise<LayerReport> {
  return ask(tree, 'extract-layer', {request, ...options, source: bytes})
}

/**
 * Merges stored layers of an image into one tree of hard links to their files.
 *
 * @returns Metadata of the image that the tree lacks.
 * @throws {WorkerFailure} ENVS_ARCHIVE_REFUSED, ENVS_STORAGE_FULL, ENVS_BAD_LAYER @throws {WorkerDiedError}
 */
export async function mergeLayers(
  tree: TreeProcess,
  request: MergeRequest,
  options: {signal?: AbortSignal} = {},
): Promise<LedgerCounts> {
  return ask(tree, 'merge-layers', {request, ...options})
}

/**
 * Applies the fixes, or those named in `only`, to a tree that is not in use.
 *
 * @throws {WorkerFailure} ENVS_FIX_FAILED, ENVS_STORAGE_FULL
 * @throws {WorkerDiedError}
 */
export async function applyFixes(
  tree: TreeProcess,
  request: {root: string; facts: Facts; only?: readonly string[]},
): Promise<FixReport> {
  return ask(tree, 'fix', {request})
}

/**
 * Prepares a new tree for environments: applies the fixes, or those named in `only`, and returns the files
 * that the fixes in `planned` would write.
 *
 * @throws {WorkerFailure} ENVS_FIX_FAILED, ENVS_STORAGE_FULL
 * @throws {WorkerDiedError}
 */
export async function settleTree(tree: TreeProcess, request: SettleRequest): Promise<SettleReport> {
  return ask(tree, 'settle', {request})
}

/**
 * Gives a copy the owners in the metadata journal of its original, and those of dpkg's overrides.
 *
 * @param tree - Root of a user namespace with all available ids.
 * @param from - The journal of the original; may be missing.
 * @param to - Path of the journal of the copy.
 * @throws {WorkerDiedError}
 */
export async function restoreOwners(tree: TreeProcess, request: LedgerRequest): Promise<RestoreReport> {
  return ask(tree, 'restore-owners', {request})
}

/**
 * Records the owners of a tree's files, for a copy that will have one owner.
 *
 * @param root - The tree, not the copy; otherwise as `restoreOwners`.
 * @throws {WorkerDiedError}
 */
export async function recordOwners(tree: TreeProcess, request: LedgerRequest): Promise<LedgerCounts> {
  return ask(tree, 'record-owners', {request})
}

/**
 * Writes a tree that is not in use as an uncompressed tar archive.
 *
 * @param tree - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @param consume - Reads the archive; the end marker comes only after success.
 * @throws {WorkerFailure} ENVS_EXPORT_FAILED, ENVS_TOOL_MISSING, ENVS_BAD_LEDGER
 * @throws {WorkerDiedError}
 * @throws The error of `consume`; the signal's reason after an abort. The worker has ended then.
 */
export async function exportRootfs(
  tree: TreeProcess,
  request: ExportRequest,
  consume: (archive: Readable) => Promise<void>,
  options: {signal?: AbortSignal; onProgress?: (progress: ExtractProgress) => void} = {},
): Promise<ExportReport> {
  return ask(tree, 'export', {request, ...options, consume})
}

/**
 * Writes a tree that is not in use, or the changes in an upper layer, as a layer of a container image: a tar archive without
 * compression.
 *
 * @param tree - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @param consume - Reads the layer; the end marker comes only after success.
 * @throws {WorkerFailure} ENVS_EXPORT_REFUSED, ENVS_BAD_LEDGER @throws {WorkerDiedError}
 * @throws The error of `consume`; the signal's reason after an abort. The worker has ended then.
 */
export async function packLayer(
  tree: TreeProcess,
  request: PackLayerRequest,
  consume: (archive: Readable) => Promise<void>,
  options: {signal?: AbortSignal; onProgress?: (progress: ExtractProgress) => void} = {},
): Promise<PackLayerReport> {
  return ask(tree, 'pack-layer', {request, ...options, consume})
}

/**
 * Compares two trees, each given by the folders of its layers. They may be in use.
 *
 * @param tree - Root of a user namespace, so that no mode of the trees forbids reading them.
 * @throws {WorkerFailure} ENVS_TOOL_MISSING
 * @throws {WorkerDiedError}
 */
export async function compareTrees(
  tree: TreeProcess,
  request: CompareRequest,
  options: {signal?: AbortSignal} = {},
): Promise<TreeDifference> {
  return ask(tree, 'compare', {request, ...options})
}

/**
 * Removes a tree, by rm(1), which is faster, and then by the worker.
 *
 * @returns Remaining entries and the reasons, at most 100.
 * @throws {WorkerDiedError} @throws The signal's reason after an abort.
 */
export async function removeTree(
  tree: TreeProcess,
  path: string,
  options: {signal?: AbortSignal} = {},
): Promise<Pick<RemoveReport, 'failures'>> {
  if (await removeByTool(tree, path, options)) return {failures: []}
  const {failures} = await ask(tree, 'remove', {request: {path}, ...options})
  return {failures}
}

/**
 * Measures the disk usage of trees, in the order of `paths`: allocated, not apparent; a file with several
 * names counts once for each tree.
 *
 * @returns Bytes; a lower bound for a tree that could not be read completely.
 * @throws {WorkerDiedError}
 */
export async function measureTrees(tree: TreeProcess, paths: readonly string[]): Promise<number[]> {
  // For many trees, one program each takes longer than the worker, and one for all would count shared files
  // once.
  const sizeBytes = paths.length === 1 ? await measureByTool(tree, paths[0] ?? '') : undefined
  if (sizeBytes !== undefined) return [sizeBytes]
  return (await ask(tree, 'measure', {request: {paths, isOnce: false}})).map((usage) => usage.sizeBytes)
}

/** Measures trees as {@link measureTrees} does, but a file with hard links in several of them counts for the first alone. */
export async function measureLinkedTrees(tree: TreeProcess, paths: readonly string[]): Promise<number[]> {
  return (await ask(tree, 'measure', {request: {paths, isOnce: true}})).map((usage) => usage.sizeBytes)
}

/** Unit of du(1) with -k; file systems allocate whole units. */
const UNIT_BYTES = 1024

/**
 * Measures a tree by du(1), which takes a fraction of the time of Node.
 *
 * @returns Bytes; undefined if du(1) is missing or could not read all of the tree.
 */
async function measureByTool({prefix, environment}: TreeProcess, path: string): Promise<number | undefined> {
  try {
    const {status, stdout} = await capture([...prefix, 'du', '-s', '-k', '--', path], {
      cwd: '/',
      env: environment,
    })
    const [, units] = /^(\d+)\t/.exec(stdout) ?? []
    return status === 0 && units !== undefined ? Number(units) * UNIT_BYTES : undefined
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

/**
 * Removes a tree with rm(1), except for folders without permissions for their owner. Follows no link, and
 * does not enter mounts in the tree.
 *
 * @returns Whether everything was removed.
 * @throws The signal's reason after an abort.
 */
async function removeByTool(
  {prefix, environment}: TreeProcess,
  path: string,
  {signal}: {readonly signal?: AbortSignal | undefined} = {},
): Promise<boolean> {
  signal?.throwIfAborted()
  const child = startGroup([...prefix, 'rm', '-rf', '--one-file-system', '--', path], {
    cwd: '/',
    env: environment,
    stdio: 'ignore',
  })
  const stop = () => child.kill()
  signal?.addEventListener('abort', stop)
  try {
    await ended(child)
  } catch (error) {
    // rm(1) is missing; the worker removes the tree.
    if (!isErrno(error)) throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  signal?.throwIfAborted()
  return isGone(path)
}

function isGone(path: string): boolean {
  try {
    lstatSync(path)
    return false
  } catch (error) {
    return isErrno(error, 'ENOENT')
  }
}

/**
 * Unpacks packages into an empty folder as dpkg does, each as soon as it arrives. After an error or an abort,
 * a partial tree remains.
 *
 * @param onProgress - Unpacked packages and written bytes; at most ten times a second.
 * @throws {WorkerFailure} ENVS_PACKAGE_REFUSED, ENVS_STORAGE_FULL, … @throws {WorkerDiedError}
 * @throws The error of the iteration; the signal's reason after an abort. The worker has ended then.
 */
export async function unpackPackages(
  tree: TreeProcess,
  debs: AsyncIterable<DebFile>,
  request: UnpackRequest,
  {
    onProgress,
    signal,
  }: {
    signal?: AbortSignal
    onProgress?: (progress: {readonly packages: number; readonly bytes: number}) => void
  } = {},
): Promise<UnpackDebsReport> {
  return ask(tree, 'unpack', {
    request,
    source: Readable.from(linesOf(debs)),
    ...(signal === undefined ? {} : {signal}),
    ...(onProgress === undefined
      ? {}
      : {onProgress: ({entries, bytes}) => onProgress({packages: entries, bytes})}),
  })
}

async function* linesOf(debs: AsyncIterable<DebFile>): AsyncGenerator<string> {
  for await (const {name, path} of debs) yield `${JSON.stringify({name, path})}\n`
}

export type {PackedImage} from './protocol.js'

/**
 * Makes an image from a new tree, and removes files from it that belong to no image.
 *
 * @param tree - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @throws {WorkerFailure} ENVS_STORAGE_FULL, ENVS_STORAGE_FAILED @throws {WorkerDiedError}
 */
export async function packImage(
  tree: TreeProcess,
  request: PackRequest,
  options: {signal?: AbortSignal; onProgress?: (progress: {entries: number; bytes: number}) => void} = {},
): Promise<PackedImage> {
  return ask(tree, 'pack', {request, ...options})
}

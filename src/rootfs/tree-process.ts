import type {Readable} from 'node:stream'
import {type ArchiveSource, ask, type ExtractProgress, type TreeProcess} from './ask-worker.js'
import type {TreeDifference} from './comparison/report.js'
import type {ExportReport} from './export/export-tree.js'
import type {ExtractReport} from './extract.js'
import type {Facts} from './fixes/fix.js'
import type {LedgerCounts} from './ledger/ledger.js'
import type {RestoreReport} from './ledger/restore.js'
import {measureByTool} from './measuring-tool.js'
import {removeByTool} from './removal-tool.js'
import type {RemoveReport} from './remove.js'
import type {OwnerRule} from './tree/owners.js'
import type {
  CompareRequest,
  ExportRequest,
  FixReport,
  LedgerRequest,
  SettleReport,
  SettleRequest,
} from './worker-request.js'

export type {ArchiveFacts} from './apt/archives.js'
export type {ExtractProgress, TreeProcess} from './ask-worker.js'
export type {OwnFile} from './comparison/own-files.js'
export type {TreeDifference} from './comparison/report.js'
export type {ExtractReport} from './extract.js'
export type {Facts} from './fixes/fix.js'
export type {PlannedFile} from './fixes/planned-files.js'
export type {LedgerCounts} from './ledger/ledger.js'
export type {RestoreReport} from './ledger/restore.js'
export type {TreeNote} from './tree-notes.js'

/**
 * Extracts an archive into `root`, a folder that is empty or has the layers below. What is there after an error, or an abort,
 * is a part.
 *
 * @param ledger - Where what the tree lacks is written down: outside the tree, a new file with the first layer.
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
  return (await ask(tree, 'measure', {request: {paths}})).map((usage) => usage.sizeBytes)
}

import type {ChildProcess} from 'node:child_process'
import {createInterface} from 'node:readline'
import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {findProgram} from '../host/host.js'
import {ended, pipeOf, start} from '../host/process.js'
import {parseDifference} from './comparison/parse-report.js'
import type {TreeDifference} from './comparison/report.js'
import {readComplaint} from './complaint.js'
import {WorkerDiedError, WorkerFailure} from './errors.js'
import type {ExportReport} from './export/export-tree.js'
import type {ExtractReport} from './extract.js'
import type {Facts} from './fixes/fix.js'
import type {PlannedFile} from './fixes/planned-files.js'
import type {LedgerCounts} from './ledger/ledger.js'
import type {RestoreReport} from './ledger/restore.js'
import type {Usage} from './measure.js'
import type {RemoveReport} from './remove.js'
import type {OwnerRule} from './tree/owners.js'
import {workerProgram} from './worker-program.js'
import {
  type CompareRequest,
  type ExportRequest,
  parseEvent,
  type WorkerEvent,
  type WorkerRequest,
} from './worker-protocol.js'
import {
  type FixReport,
  parseExportReport,
  parseExtractReport,
  parseFixReport,
  parseLosses,
  parsePlannedFiles,
  parseRemoveReport,
  parseRestoreReport,
  parseUsages,
} from './worker-results.js'

export type {ArchiveFacts} from './apt/archives.js'
export type {OwnFile} from './comparison/own-files.js'
export type {TreeDifference} from './comparison/report.js'
export type {ExtractReport} from './extract.js'
export type {Facts} from './fixes/fix.js'
export type {PlannedFile} from './fixes/planned-files.js'
export type {LedgerCounts} from './ledger/ledger.js'
export type {RestoreReport} from './ledger/restore.js'
export type {Usage} from './measure.js'
export type {RemoveReport} from './remove.js'
export type {TreeNote} from './tree-notes.js'

/** How the worker is started, so that the same code sees a tree's owners bare or from a user namespace. */
export type TreeProcess = {
  /** Put in front of the worker's argument list, as `unshare … --`; may be empty. */
  readonly prefix: readonly string[]
  /** All the environment the worker gets; PATH finds the host's decompressors. */
  readonly environment: NodeJS.ProcessEnv
}

export type ExtractProgress = {readonly entries: number; readonly bytes: number}

/** An archive: a stream, or a regular file at its start, whose bytes then do not pass through this process. */
export type ArchiveSource = Readable | {readonly fd: number}

/**
 * Extracts an archive into `root`, an empty folder. What is there after an error, or an abort, is a part.
 *
 * @param ledger - Where what the tree lacks is written down: a new file, outside the tree.
 * @param onProgress - Called at most ten times a second.
 * @throws {WorkerFailure} With the code of the error: ENVS_ARCHIVE_CORRUPT, ENVS_STORAGE_FULL, …
 * @throws {WorkerDiedError}
 * @throws The source's own error when it fails; the signal's reason when it is aborted, and the worker gone.
 */
export async function extractRootfs(
  tree: TreeProcess,
  source: ArchiveSource,
  {root, owners, ledger}: {root: string; owners: OwnerRule; ledger?: string},
  options: {signal?: AbortSignal; onProgress?: (progress: ExtractProgress) => void} = {},
): Promise<ExtractReport> {
  const request = {verb: 'extract', root, owners, ...(ledger === undefined ? {} : {ledger})} as const
  return parseExtractReport(await ask(tree, request, {...options, source}))
}

/**
 * Applies the fixes, or those named in `only`, to a tree at rest.
 *
 * @throws {WorkerFailure} ENVS_FIX_FAILED, ENVS_STORAGE_FULL
 * @throws {WorkerDiedError}
 */
export async function applyFixes(
  tree: TreeProcess,
  {root, facts, only}: {root: string; facts: Facts; only?: readonly string[]},
): Promise<FixReport> {
  const request = {verb: 'fix', root, facts, ...(only === undefined ? {} : {only})} as const
  return parseFixReport(await ask(tree, request))
}

/**
 * The files that fixes would write to a tree at rest, which stays as it is.
 *
 * @throws {WorkerDiedError}
 */
export async function planTreeFiles(
  tree: TreeProcess,
  {root, facts, only}: {root: string; facts: Facts; only: readonly string[]},
): Promise<PlannedFile[]> {
  return parsePlannedFiles(await ask(tree, {verb: 'plan', root, facts, only}))
}

/**
 * Gives a copy the owners that the ledger of the tree it was made of names, and those of dpkg's overrides.
 *
 * @param tree - Root of a user namespace with the ids that are to be had.
 * @param from - The ledger of the tree; may be missing.
 * @param to - Where the ledger of the copy is made.
 * @throws {WorkerDiedError}
 */
export async function restoreOwners(
  tree: TreeProcess,
  {root, from, to}: {root: string; from: string; to: string},
): Promise<RestoreReport> {
  return parseRestoreReport(await ask(tree, {verb: 'restore-owners', root, from, to}))
}

/**
 * Writes down who owns what in a tree, for a copy of it that is to have one owner.
 *
 * @param root - The tree, not the copy; otherwise as `restoreOwners`.
 * @throws {WorkerDiedError}
 */
export async function recordOwners(
  tree: TreeProcess,
  {root, from, to}: {root: string; from: string; to: string},
): Promise<LedgerCounts> {
  return parseLosses(await ask(tree, {verb: 'record-owners', root, from, to}))
}

/**
 * Writes a tree at rest as an uncompressed tar archive.
 *
 * @param tree - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @param consume - Takes the archive; the end marker comes only if all went well.
 * @throws {WorkerFailure} ENVS_EXPORT_FAILED, ENVS_TOOL_MISSING, ENVS_BAD_LEDGER
 * @throws {WorkerDiedError}
 * @throws What `consume` throws; the signal's reason when it is aborted, and the worker gone.
 */
export async function exportRootfs(
  tree: TreeProcess,
  request: Omit<ExportRequest, 'verb'>,
  consume: (archive: Readable) => Promise<void>,
  options: {signal?: AbortSignal; onProgress?: (progress: ExtractProgress) => void} = {},
): Promise<ExportReport> {
  return parseExportReport(await ask(tree, {verb: 'export', ...request}, {...options, consume}))
}

/**
 * In what two trees differ, each given by the folders that it is stacked of. They may be in use.
 *
 * @param tree - Root of a user namespace, so that no mode of the trees forbids reading them.
 * @throws {WorkerFailure} ENVS_TOOL_MISSING
 * @throws {WorkerDiedError}
 */
export async function compareTrees(
  tree: TreeProcess,
  request: Omit<CompareRequest, 'verb'>,
  options: {signal?: AbortSignal} = {},
): Promise<TreeDifference> {
  return parseDifference(await ask(tree, {verb: 'compare', ...request}, options))
}

/** Removes a tree as far as it can be; what is left is in the report. @throws {WorkerDiedError} */
export async function removeTree(
  tree: TreeProcess,
  path: string,
  options: {signal?: AbortSignal} = {},
): Promise<RemoveReport> {
  return parseRemoveReport(await ask(tree, {verb: 'remove', path}, options))
}

/** What trees take on disk, in the order of `paths`. @throws {WorkerDiedError} */
export async function measureTrees(tree: TreeProcess, paths: readonly string[]): Promise<Usage[]> {
  return parseUsages(await ask(tree, {verb: 'measure', paths}))
}

type AskOptions = {
  source?: ArchiveSource
  /** Takes what the worker writes to its descriptor 3. */
  consume?: (bytes: Readable) => Promise<void>
  signal?: AbortSignal
  onProgress?: (progress: ExtractProgress) => void
}

/** Runs the worker for one request; when this settles, its process is gone. */
async function ask(
  tree: TreeProcess,
  {verb, ...request}: WorkerRequest,
  {source, consume, signal, onProgress}: AskOptions = {},
): Promise<unknown> {
  signal?.throwIfAborted()
  const worker = [...workerProgram(), verb, JSON.stringify(request)]
  const argv = [...tree.prefix, ...(await decoderFor(source, tree)), ...worker]
  const child = start(argv, {
    cwd: '/',
    env: tree.environment,
    stdio: [
      source === undefined ? 'ignore' : source instanceof Readable ? 'pipe' : source.fd,
      'pipe',
      'pipe',
      ...(consume === undefined ? [] : (['pipe'] as const)),
    ],
  })
  const stop = () => child.kill()
  signal?.addEventListener('abort', stop)
  try {
    const [streamFailure, last, complaint, exit] = await Promise.all([
      consume === undefined ? feed(child, source) : drain(child, consume),
      readEvents(child, onProgress),
      readComplaint(child),
      ended(child),
    ])
    signal?.throwIfAborted()
    if (streamFailure !== undefined) throw streamFailure.error
    if (last?.event === 'result') return last.value
    if (last?.event === 'error') throw failureOf(last)
    const how = exit.signal === null ? `with status ${exit.status}` : `by ${exit.signal}`
    throw new WorkerDiedError(verb, how, new Error(complaint))
  } finally {
    signal?.removeEventListener('abort', stop)
    stop()
  }
}

/** Loaded for an extraction alone: most commands that ask the worker have no archive. */
async function decoderFor(
  source: ArchiveSource | undefined,
  {environment}: TreeProcess,
): Promise<readonly string[]> {
  if (source === undefined || source instanceof Readable) return []
  const {decoderPrefix} = await import('./compression/host-decoder.js')
  return decoderPrefix(source.fd, (program) => findProgram(program, environment['PATH'] ?? ''))
}

/** The source's failure, if it had one; a worker that takes no more says itself why. */
async function feed(
  child: ChildProcess,
  source: ArchiveSource | undefined,
): Promise<{error: unknown} | undefined> {
  if (!(source instanceof Readable) || child.stdin === null) return undefined
  let failure: {error: unknown} | undefined
  source.once('error', (error) => {
    failure = {error}
    child.kill()
  })
  await pipeline(source, child.stdin).catch(() => {})
  return failure
}

/** The consumer's failure, if it had one: it ends the worker, which has nobody to write for. */
async function drain(
  child: ChildProcess,
  consume: (bytes: Readable) => Promise<void>,
): Promise<{error: unknown} | undefined> {
  try {
    await consume(pipeOf(child, 3))
    return undefined
  } catch (error) {
    child.kill()
    return {error}
  }
}

async function readEvents(
  child: ChildProcess,
  onProgress: AskOptions['onProgress'],
): Promise<WorkerEvent | undefined> {
  if (child.stdout === null) return undefined
  let last: WorkerEvent | undefined
  for await (const line of createInterface({input: child.stdout})) {
    const event = parseEvent(line)
    if (event.event === 'progress') onProgress?.({entries: event.entries, bytes: event.bytes})
    else last = event
  }
  return last
}

function failureOf({code, exitCode, message, suggestions}: Extract<WorkerEvent, {event: 'error'}>): Error {
  if (code === undefined) return new Error(message)
  return new WorkerFailure(message, {code, exitCode, suggestions})
}

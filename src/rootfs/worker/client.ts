import type {ChildProcess} from 'node:child_process'
import {createRequire} from 'node:module'
import {dirname, extname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {fileURLToPath, pathToFileURL} from 'node:url'
import {findProgram} from '../../host/host.js'
import {packageRoot} from '../../host/paths.js'
import {ended, pipeOf, readErrorOutput, startGroup} from '../../host/process.js'
import {WorkerFailure, workerDiedError, workerNotStartedError} from '../errors.js'
import {BUILD_ID} from './build-id.js'
import type {WorkerEvent, WorkerRequests, WorkerResults, WorkerVerb} from './protocol.js'

/** How to start the worker, so that the same code sees a tree's owners directly or from a user namespace. */
export type TreeProcess = {
  /** Prefix of the worker's argv, such as `unshare … --`; may be empty. */
  readonly prefix: readonly string[]
  /** The complete environment of the worker; PATH leads to the host's decompressors. */
  readonly environment: NodeJS.ProcessEnv
  /**
   * Descriptors that the worker inherits. A lock on one of them outlives a killed command until the worker
   * ends.
   */
  readonly held?: readonly number[]
}

export type ExtractProgress = {readonly entries: number; readonly bytes: number}

/** A tarball: a stream, or a regular file at its start, whose bytes do not pass through this process. */
export type ArchiveSource = Readable | {readonly fd: number}

type AskOptions = {
  source?: ArchiveSource
  /** Reads the worker's descriptor 3. */
  consume?: (bytes: Readable) => Promise<void>
  signal?: AbortSignal
  onProgress?: (progress: ExtractProgress) => void
}

/**
 * Runs the worker for one request. Settles after the worker's process has ended.
 *
 * @returns The value of its result.
 * @throws {WorkerFailure} @throws {WorkerDiedError} @throws {@link workerNotStartedError}
 * @throws The error of a failed stream; the signal's reason after an abort.
 */
export async function ask<Verb extends WorkerVerb>(
  tree: TreeProcess,
  verb: Verb,
  {request, source, consume, signal, onProgress}: AskOptions & {request: WorkerRequests[Verb]},
): Promise<WorkerResults[Verb]> {
  signal?.throwIfAborted()
  const worker = [...workerProgram(), verb, JSON.stringify(request), BUILD_ID]
  const argv = [...tree.prefix, ...(await decoderFor(source, tree)), ...worker]
  const child = startGroup(argv, {
    cwd: '/',
    env: tree.environment,
    stdio: [
      source === undefined ? 'ignore' : source instanceof Readable ? 'pipe' : source.fd,
      'pipe',
      'pipe',
      consume === undefined ? 'ignore' : 'pipe',
      ...(tree.held ?? []),
    ],
  })
  const stop = () => child.kill()
  signal?.addEventListener('abort', stop)
  try {
    const [streamFailure, {isStarted, last}, complaint, exit] = await Promise.all([
      consume === undefined ? feed(child, source) : drain(child, consume),
      readEvents(child, onProgress),
      readErrorOutput(child),
      ended(child),
    ])
    signal?.throwIfAborted()
    if (streamFailure !== undefined) throw streamFailure.error
    // The worker is of this very build, or has refused.
    if (last?.event === 'result') return last.value as WorkerResults[Verb]
    if (last?.event === 'error') throw failureOf(last)
    const how = exit.signal === null ? `with status ${exit.status}` : `by ${exit.signal}`
    if (!isStarted && exit.signal === null)
      throw workerNotStartedError({verb, how}, {cause: new Error(complaint)})
    throw workerDiedError({verb, how}, {cause: new Error(complaint)})
  } finally {
    signal?.removeEventListener('abort', stop)
    stop()
  }
}

/** Loaded only for an extraction: most commands that use the worker have no tarball. */
async function decoderFor(
  source: ArchiveSource | undefined,
  {environment}: TreeProcess,
): Promise<readonly string[]> {
  if (source === undefined || source instanceof Readable) return []
  const {decoderPrefix} = await import('../../compression/host-program.js')
  return decoderPrefix(source.fd, (program) => findProgram(program, environment['PATH'] ?? ''))
}

/** Returns the source's failure, if any. A worker that stops reading reports the reason itself. */
async function feed(
  child: ChildProcess,
  source: ArchiveSource | undefined,
): Promise<{error: unknown} | undefined> {
  if (!(source instanceof Readable) || child.stdin === null) return undefined
  const {stdin} = child
  let failure: {error: unknown} | undefined
  source.once('error', (error) => {
    // A pipe that closed first makes the source fail too.
    if (stdin.destroyed) return
    failure = {error}
    child.kill()
  })
  await pipeline(source, stdin).catch(() => {})
  return failure
}

/** Returns the consumer's failure, if any: it ends the worker, which then has no reader. */
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
): Promise<{isStarted: boolean; last: WorkerEvent | undefined}> {
  let isStarted = false
  let last: WorkerEvent | undefined
  if (child.stdout === null) return {isStarted, last}
  for await (const line of createInterface({input: child.stdout})) {
    const event: WorkerEvent = JSON.parse(line)
    isStarted = true
    if (event.event === 'progress') onProgress?.({entries: event.entries, bytes: event.bytes})
    else last = event
  }
  return {isStarted, last}
}

function failureOf({code, exitCode, message, suggestions}: Extract<WorkerEvent, {event: 'error'}>): Error {
  if (code === undefined) return new Error(message)
  return new WorkerFailure(message, {code, exitCode, suggestions})
}

/** Returns the argv of the worker: its bundle, or its module when run from the sources. */
export function workerProgram(): string[] {
  const here = fileURLToPath(import.meta.url)
  if (extname(here) !== '.ts') return [process.execPath, join(packageRoot(), 'dist', 'rootfs-worker.cjs')]
  const tsx = pathToFileURL(createRequire(here).resolve('tsx')).href
  return [process.execPath, '--import', tsx, join(dirname(here), 'worker.ts')]
}

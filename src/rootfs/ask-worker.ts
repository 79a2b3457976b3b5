import type {ChildProcess} from 'node:child_process'
import {createInterface} from 'node:readline'
import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {BUILD_ID} from '../host/build-id.js'
import {findProgram} from '../host/host.js'
import {ended, pipeOf, start} from '../host/process.js'
import {readComplaint} from './complaint.js'
import {WorkerFailure, workerDiedError} from './errors.js'
import type {WorkerEvent} from './worker-event.js'
import {workerProgram} from './worker-program.js'
import type {WorkerRequests, WorkerResults, WorkerVerb} from './worker-request.js'

/** How the worker is started, so that the same code sees a tree's owners bare or from a user namespace. */
export type TreeProcess = {
  /** Put in front of the worker's argument list, as `unshare … --`; may be empty. */
  readonly prefix: readonly string[]
  /** All the environment the worker gets; PATH finds the host's decompressors. */
  readonly environment: NodeJS.ProcessEnv
  /** Descriptors it has too: a lock on one of them lasts as long as it does, though the command that took it be killed. */
  readonly held?: readonly number[]
}

export type ExtractProgress = {readonly entries: number; readonly bytes: number}

/** An archive: a stream, or a regular file at its start, whose bytes then do not pass through this process. */
export type ArchiveSource = Readable | {readonly fd: number}

type AskOptions = {
  source?: ArchiveSource
  /** Takes what the worker writes to its descriptor 3. */
  consume?: (bytes: Readable) => Promise<void>
  signal?: AbortSignal
  onProgress?: (progress: ExtractProgress) => void
}

/**
 * Runs the worker for one request; when this settles, its process is gone.
 *
 * @returns The value of its result.
 * @throws {WorkerFailure} @throws {WorkerDiedError}
 * @throws What a stream failed with; the signal's reason when it is aborted.
 */
export async function ask<Verb extends WorkerVerb>(
  tree: TreeProcess,
  verb: Verb,
  {request, source, consume, signal, onProgress}: AskOptions & {request: WorkerRequests[Verb]},
): Promise<WorkerResults[Verb]> {
  signal?.throwIfAborted()
  const worker = [...workerProgram(), verb, JSON.stringify(request), BUILD_ID]
  const argv = [...tree.prefix, ...(await decoderFor(source, tree)), ...worker]
  const child = start(argv, {
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
    const [streamFailure, last, complaint, exit] = await Promise.all([
      consume === undefined ? feed(child, source) : drain(child, consume),
      readEvents(child, onProgress),
      readComplaint(child),
      ended(child),
    ])
    signal?.throwIfAborted()
    if (streamFailure !== undefined) throw streamFailure.error
    // The worker is of this very build, or has refused.
    if (last?.event === 'result') return last.value as WorkerResults[Verb]
    if (last?.event === 'error') throw failureOf(last)
    const how = exit.signal === null ? `with status ${exit.status}` : `by ${exit.signal}`
    throw workerDiedError({verb, how}, {cause: new Error(complaint)})
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
  const {decoderPrefix} = await import('../compression/host-decoder.js')
  return decoderPrefix(source.fd, (program) => findProgram(program, environment['PATH'] ?? ''))
}

/** The source's failure, if it had one; a worker that takes no more says itself why. */
async function feed(
  child: ChildProcess,
  source: ArchiveSource | undefined,
): Promise<{error: unknown} | undefined> {
  if (!(source instanceof Readable) || child.stdin === null) return undefined
  const {stdin} = child
  let failure: {error: unknown} | undefined
  source.once('error', (error) => {
    // A pipe that closed first fails the source in its turn.
    if (stdin.destroyed) return
    failure = {error}
    child.kill()
  })
  await pipeline(source, stdin).catch(() => {})
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
    const event: WorkerEvent = JSON.parse(line)
    if (event.event === 'progress') onProgress?.({entries: event.entries, bytes: event.bytes})
    else last = event
  }
  return last
}

function failureOf({code, exitCode, message, suggestions}: Extract<WorkerEvent, {event: 'error'}>): Error {
  if (code === undefined) return new Error(message)
  return new WorkerFailure(message, {code, exitCode, suggestions})
}

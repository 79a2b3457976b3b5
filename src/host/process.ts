import {type ChildProcess, type SpawnOptions, spawn, spawnSync} from 'node:child_process'
import {Socket} from 'node:net'
import {constants} from 'node:os'
import {Duplex} from 'node:stream'
import {setImmediate as nextTurn, setTimeout as sleep} from 'node:timers/promises'
import {isErrno} from './errno.js'
import {perlMissingError} from './errors.js'
import type {Host} from './host.js'
import {templatePath} from './paths.js'

/** The end of a child process; `status` follows the shell: 128+n for signal n. */
export type Exit = {readonly status: number; readonly signal: NodeJS.Signals | null}

export type Captured = Exit & {readonly stdout: string; readonly stderr: string}

/** Bounds the captured output of each stream: messages are short. */
const CAPTURE_LIMIT_BYTES = 16 * 1024 * 1024

/**
 * Starts a program by argv, never through a shell.
 *
 * @throws {NodeJS.ErrnoException} If it cannot be started: ENOENT, EACCES.
 */
export function start(argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [program, ...rest] = argv
  if (program === undefined) throw new Error('an empty argument list cannot be started')
  try {
    return withPipes(spawn(program, rest, options), options)
  } catch (error) {
    // Node names the program only in errors that it reports as events.
    throw isErrno(error) && error instanceof Error ? Object.assign(error, {path: program}) : error
  }
}

/**
 * Without descriptors for a start (EMFILE, ENFILE), Node reports the error as an event, and makes no streams at all: gives the child
 * streams that have ended, so that its user waits for that event.
 */
function withPipes(child: ChildProcess, {stdio}: SpawnOptions): ChildProcess {
  const made: ChildProcess['stdio'] | undefined = child.stdio
  if (made !== undefined) return child
  const wanted = typeof stdio === 'string' ? [stdio, stdio, stdio] : (stdio ?? ['pipe', 'pipe', 'pipe'])
  const streams = wanted.map((each) => (each === 'pipe' ? endedPipe() : null))
  const [stdin = null, stdout = null, stderr = null] = streams
  return Object.assign(child, {stdio: streams, stdin, stdout, stderr})
}

function endedPipe(): Duplex {
  const pipe = new Duplex({read: () => {}, write: (_chunk, _encoding, done) => done()})
  pipe.push(null)
  return pipe
}

/**
 * As {@link start}, with a process group of its own, which is killed when the program has ended: a helper that the program left,
 * such as that of an `unshare --map-auto` that failed, would hold pipes and locks for ever.
 */
export function startGroup(argv: readonly string[], options: SpawnOptions): ChildProcess {
  const child = start(argv, {...options, detached: true})
  child.once('exit', () => killGroup(child))
  return child
}

/**
 * Kills the process group of a detached program if the program ends with another status than 0.
 *
 * @returns A function that ends this watch.
 */
export function endGroupOfFailed(child: ChildProcess): () => void {
  const end = (status: number | null) => {
    if (status !== 0) killGroup(child)
  }
  child.once('exit', end)
  return () => child.off('exit', end)
}

/** For the `exit` event of the group's leader: later, another group may have its number. */
function killGroup({pid}: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // EPERM: what is left belongs to another user, such as newuidmap(1), which ends by itself.
    if (!isErrno(error, 'ESRCH', 'EPERM')) throw error
  }
}

/** Returns the parent's end of a descriptor that was passed to the child as 'pipe'. */
export function pipeOf(child: ChildProcess, fd: number): Duplex {
  const streams: readonly unknown[] = child.stdio
  const stream = streams[fd]
  if (!(stream instanceof Duplex)) throw new Error(`descriptor ${fd} of the child is not a pipe`)
  return stream
}

/** Resolves when the program runs; rejects if it cannot be started. */
export function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}

/**
 * Resolves when the child ended and its output has been read; rejects if it never started.
 *
 * Does not wait for other processes that have the child's pipes open: its readers see the end of the output where the child's ends.
 */
export function ended(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({status: statusOf(code, signal), signal}))
    child.once('exit', () => {
      for (const stream of child.stdio.slice(1)) if (stream instanceof Socket) void endWhenDrained(stream)
    })
  })
}

/** Paces the look at a pipe that a slow reader empties, or that somebody else holds. */
const DRAIN_POLL_MS = 5

/** Ends a stream as soon as it has no more bytes of a process that has ended: these are in its pipe already. */
async function endWhenDrained(stream: Socket): Promise<void> {
  while (!stream.readableEnded && !stream.destroyed) {
    const {bytesRead} = stream
    await sleep(DRAIN_POLL_MS, undefined, {ref: false})
    // Between a timer and an immediate, the event loop polls the pipe, unless the stream waits for its reader.
    await nextTurn()
    if (isReading(stream) && stream.bytesRead === bytesRead) {
      stream.push(null)
      return
    }
  }
}

function isReading(stream: Socket): boolean {
  if (stream.readableLength > 0) return false
  return stream.readableFlowing === true || stream.listenerCount('readable') > 0
}

/** Runs a helper to the end of its process group, and returns its output. Standard input is empty unless `input` is given. */
export async function capture(
  argv: readonly string[],
  options: Pick<SpawnOptions, 'env' | 'cwd' | 'timeout' | 'signal' | 'uid' | 'gid'> & {input?: string} = {},
): Promise<Captured> {
  const {input, ...spawnOptions} = options
  const child = startGroup(argv, {
    ...spawnOptions,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  const exit = ended(child)
  // A child that ends before it reads its input closes the pipe: its exit status matters, not EPIPE.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const [stdout, stderr, end] = await Promise.all([collect(child.stdout), collect(child.stderr), exit])
  return {...end, stdout, stderr}
}

/**
 * Runs a program with `fd` as its descriptor 3 (several: 3, 4 and on) and no other stream but `input`, and blocks this process until it ends: for
 * separate processes, which serve no one meanwhile.
 *
 * @returns Its exit status; undefined if it cannot be started.
 */
export function runBlocking(
  argv: readonly string[],
  {fd, input}: {readonly fd: number | readonly number[]; readonly input?: string},
): number | undefined {
  const [program, ...rest] = argv
  if (program === undefined) throw new Error('an empty argument list cannot be run')
  const {status, signal, error} = spawnSync(program, rest, {
    ...(input === undefined ? {} : {input}),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'ignore', ...[fd].flat()],
  })
  return error === undefined ? statusOf(status, signal) : undefined
}

/** Returns the exit status as a shell reports it. */
function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream ?? []) {
    const piece = Buffer.from(chunk as Uint8Array)
    if (bytes < CAPTURE_LIMIT_BYTES) chunks.push(piece)
    bytes += piece.length
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A program in templates/host for system calls that Node lacks. */
export type Script =
  | 'anchor'
  | 'boot'
  | 'namespaces/second-namespace'
  | 'files/copy-tree'
  | 'die-with-parent'
  | 'inspect'
  | 'session'
  | 'namespaces/map-ids'
  | 'network'
  | 'own-network'
  | 'program'
  | 'proxy'
  | 'publish'
  | 'load-filter'
  | 'namespaces/root-by-bwrap'
  | 'files/set-attributes'
  | 'files/set-capability'
  | 'files/list-layer'
  | 'signal-all'
  | 'files/shift-owners'
  | 'files/squash'
  | 'namespaces/try-fuse'

/** Returns the path of the Perl for the scripts: the host's, or a fetched one; undefined if there is none. */
export function findPerl({which}: Pick<Host, 'which'>): string | undefined {
  return which('perl')
}

/** Returns the same path. @throws {PerlMissingError} */
export function requirePerl(host: Pick<Host, 'which'>): string {
  const perl = findPerl(host)
  if (perl === undefined) throw perlMissingError()
  return perl
}

/** Returns the words to put before a script's arguments. */
export function scriptWords(perl: string, script: Script): string[] {
  return [perl, templatePath(`host/${script}.pl`)]
}

/** Enough of an error message to find the cause. */
const MOST_CHARACTERS = 4096

/** Returns the beginning of a program's standard error, after its end. */
export async function readErrorOutput(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stderr ?? []) if (text.length < MOST_CHARACTERS) text += String(chunk)
  return text
}

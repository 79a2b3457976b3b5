import {type ChildProcess, type SpawnOptions, spawn, spawnSync} from 'node:child_process'
import {constants} from 'node:os'
import {Duplex} from 'node:stream'
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
  return spawn(program, rest, options)
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

/** Resolves when the child ended and its streams are closed; rejects if it never started. */
export function ended(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({status: statusOf(code, signal), signal}))
  })
}

/** Runs a helper to its end, and returns its output. Standard input is empty unless `input` is given. */
export async function capture(
  argv: readonly string[],
  options: Pick<SpawnOptions, 'env' | 'cwd' | 'timeout' | 'signal' | 'uid' | 'gid'> & {input?: string} = {},
): Promise<Captured> {
  const {input, ...spawnOptions} = options
  const child = start(argv, {
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
 * Runs a program with `fd` as its descriptor 3 and no other stream, and blocks this process until it ends: for
 * separate processes, which serve no one meanwhile.
 *
 * @returns Its exit status; undefined if it cannot be started.
 */
export function runBlocking(argv: readonly string[], {fd}: {readonly fd: number}): number | undefined {
  const [program, ...rest] = argv
  if (program === undefined) throw new Error('an empty argument list cannot be run')
  const {status, signal, error} = spawnSync(program, rest, {stdio: ['ignore', 'ignore', 'ignore', fd]})
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
  | 'second-namespace'
  | 'copy-tree'
  | 'die-with-parent'
  | 'session'
  | 'map-ids'
  | 'load-filter'
  | 'set-capability'
  | 'list-layer'
  | 'signal-all'
  | 'shift-owners'
  | 'squash'

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

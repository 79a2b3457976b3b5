import {type ChildProcess, type SpawnOptions, spawn, spawnSync} from 'node:child_process'
import {constants} from 'node:os'
import {Duplex} from 'node:stream'
import {perlMissingError} from './errors.js'
import type {Host} from './host.js'
import {templatePath} from './paths.js'

/** How a child ended; `status` follows the shell: 128+n for signal n. */
export type Exit = {readonly status: number; readonly signal: NodeJS.Signals | null}

export type Captured = Exit & {readonly stdout: string; readonly stderr: string}

/** Most that is kept of each stream of a captured child: its messages matter, a flood doesn't. */
const CAPTURE_LIMIT_BYTES = 16 * 1024 * 1024

/**
 * Starts a program by argument list, never through a shell.
 *
 * @throws {NodeJS.ErrnoException} When it can't be started: ENOENT, EACCES.
 */
export function start(argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [program, ...rest] = argv
  if (program === undefined) throw new Error('an empty argument list cannot be started')
  return spawn(program, rest, options)
}

/** The parent's end of a descriptor that was given to the child as 'pipe'. */
export function pipeOf(child: ChildProcess, fd: number): Duplex {
  const streams: readonly unknown[] = child.stdio
  const stream = streams[fd]
  if (!(stream instanceof Duplex)) throw new Error(`descriptor ${fd} of the child is not a pipe`)
  return stream
}

/** Resolves when the program runs; rejects when it can't be started. */
export function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}

/** Resolves when the child is gone and its streams are closed; rejects when it never started. */
export function ended(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({status: statusOf(code, signal), signal}))
  })
}

/** Runs a helper to its end and keeps what it printed. Standard input is empty. */
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
  // A child that ends before it has read its input closes the pipe: its exit status tells, not EPIPE.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const [stdout, stderr, end] = await Promise.all([collect(child.stdout), collect(child.stderr), exit])
  return {...end, stdout, stderr}
}

/**
 * Runs a program to its end, with `fd` as its descriptor 3 and no other stream, while this process stands still:
 * for programs of their own, which have nobody to keep waiting.
 *
 * @returns Its exit status; undefined where it can't be started.
 */
export function runBlocking(argv: readonly string[], {fd}: {readonly fd: number}): number | undefined {
  const [program, ...rest] = argv
  if (program === undefined) throw new Error('an empty argument list cannot be run')
  const {status, signal, error} = spawnSync(program, rest, {stdio: ['ignore', 'ignore', 'ignore', fd]})
  return error === undefined ? statusOf(status, signal) : undefined
}

/** The number a shell would show for this end of a process. */
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

/** A program of templates/host that makes system calls which Node has no function for. */
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
  | 'squash'

/** Absolute path of the Perl that runs the scripts: the host's, or a fetched one; undefined where there is none. */
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

/** Enough of a message to find the cause. */
const MOST_CHARACTERS = 4096

/** Returns the beginning of a program's standard error, after its end. */
export async function readComplaint(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stderr ?? []) if (text.length < MOST_CHARACTERS) text += String(chunk)
  return text
}

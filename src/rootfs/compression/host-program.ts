import type {ChildProcess} from 'node:child_process'
import {closeSync} from 'node:fs'
import {pipeline} from 'node:stream/promises'
import {ended, start} from '../../host/process.js'
import {CorruptArchiveError, ToolKilledError} from '../errors.js'
import {type ArchiveInput, readDescriptor} from './archive-input.js'
import {openBlockingPipe} from './blocking-pipe.js'

/**
 * Decompresses through a program of the host, which is faster than any code of ours and runs beside it.
 *
 * The exit status is checked before the iteration ends, so that a consumer never takes a part for the whole.
 *
 * @param argv - The program by absolute path, and the arguments that make it a filter.
 * @param which - Finds mkfifo, to read the output of a program that needs no feeding by blocking calls.
 * @throws {CorruptArchiveError} When the program ends with another status than 0.
 * @throws {ToolKilledError} When a signal ended it: that says nothing about the archive.
 */
export async function* throughProgram(
  argv: readonly string[],
  input: ArchiveInput,
  which: (program: string) => string | undefined,
): AsyncGenerator<Buffer> {
  const mkfifo = input.file === undefined ? undefined : which('mkfifo')
  const pipe = mkfifo === undefined ? undefined : await openBlockingPipe(mkfifo)
  const child = start(pipe === undefined ? argv : withLargePipe(argv, which), {
    stdio: [input.file?.fd ?? 'pipe', pipe?.writeFd ?? 'pipe', 'ignore'],
  })
  const exit = ended(child)
  const feeding = feed(child, input)
  // Both are awaited below; until then a failure must not count as unhandled.
  exit.catch(() => {})
  feeding.catch(() => child.kill())
  if (pipe !== undefined) closeSync(pipe.writeFd)
  try {
    if (pipe === undefined) yield* (child.stdout ?? []) as AsyncIterable<Buffer>
    else yield* readDescriptor(pipe.readFd)
    const program = argv[0]?.split('/').at(-1) ?? ''
    const {status, signal} = await exit
    await feeding
    if (signal !== null) throw new ToolKilledError(program, signal)
    if (status !== 0) throw new CorruptArchiveError(`${program} can not decompress it`)
  } finally {
    child.kill('SIGKILL')
    if (pipe !== undefined) closeSync(pipe.readFd)
  }
}

/**
 * The program behind a Perl that makes its output pipe larger first: a burst of small files takes longer to write than
 * 64 KiB take to decode, and then the decoder would stand still. Without Perl it is as it was.
 *
 * @see fcntl(2), F_SETPIPE_SZ; a megabyte is what /proc/sys/fs/pipe-max-size lets everybody have.
 */
function withLargePipe(
  argv: readonly string[],
  which: (program: string) => string | undefined,
): readonly string[] {
  const perl = which('perl')
  return perl === undefined
    ? argv
    : [perl, '-e', 'fcntl STDOUT, 1031, 1 << 20; exec {$ARGV[0]} @ARGV', ...argv]
}

/** Resolves when all was passed on, or the child wants no more; rejects when the source failed. */
async function feed(child: ChildProcess, input: ArchiveInput): Promise<void> {
  const {stdin} = child
  if (stdin === null) return
  let sourceFailure: unknown
  await pipeline(async function* () {
    try {
      yield* input.bytes
    } catch (error) {
      sourceFailure = error
      throw error
    }
  }, stdin).catch(() => {})
  // A child that ends early closes its end (EPIPE): its exit status tells why.
  if (sourceFailure !== undefined) throw sourceFailure
}

import type {ChildProcess} from 'node:child_process'
import {pipeline} from 'node:stream/promises'
import {ended, start} from '../host/process.js'
import type {ArchiveInput} from './archive-input.js'
import {checkDecoderEnd} from './decoded-input.js'

/**
 * Decompresses through a program of the host, which is faster than JavaScript and runs in parallel.
 *
 * Checks the exit status before the iteration ends, so that a consumer never uses a truncated result.
 *
 * @param argv - The program by absolute path, and the arguments that make it a filter.
 * @throws {CorruptArchiveError} When the program ends with another status than 0.
 * @throws {@link toolKilledError} When a signal ended it: that says nothing about the archive.
 */
export async function* throughProgram(argv: readonly string[], input: ArchiveInput): AsyncGenerator<Buffer> {
  const child = start(argv, {stdio: [input.file?.fd ?? 'pipe', 'pipe', 'ignore']})
  const exit = ended(child)
  const feeding = feed(child, input)
  // Both are awaited below; a failure until then must not count as unhandled.
  exit.catch(() => {})
  feeding.catch(() => child.kill())
  try {
    yield* (child.stdout ?? []) as AsyncIterable<Buffer>
    const {status, signal} = await exit
    await feeding
    checkDecoderEnd(argv[0]?.split('/').at(-1) ?? '', {status, signal})
  } finally {
    child.kill('SIGKILL')
  }
}

/** Resolves when all input was passed on, or the child has closed its input; rejects if the source failed. */
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
  // A child that ends early closes its input (EPIPE): its exit status gives the reason.
  if (sourceFailure !== undefined) throw sourceFailure
}

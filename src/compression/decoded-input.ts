import {readFileSync} from 'node:fs'
import {constants} from 'node:os'
import {type DecodedInput, readDescriptor} from './archive-input.js'
import {corruptArchiveError, toolKilledError} from './errors.js'

/**
 * Returns the output of a decoder that was started in advance, and checks the decoder's status before the
 * iteration ends.
 *
 * @param program - Its name, for messages.
 * @throws {CorruptArchiveError | ToolKilledError}
 */
export async function* readDecoded({fd, statusFd}: DecodedInput, program: string): AsyncGenerator<Buffer> {
  yield* readDescriptor(fd)
  // The low seven bits are the signal, the high byte the status; see waitpid(2).
  const waitStatus = Number(readFileSync(statusFd, 'latin1'))
  const number = waitStatus & 0x7f
  const signal = Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null
  checkDecoderEnd(program, {
    status: waitStatus >> 8,
    signal: number === 0 ? null : (signal ?? `signal ${number}`),
  })
}

/** @throws {CorruptArchiveError | ToolKilledError} Unless the program ended with status 0. */
export function checkDecoderEnd(
  program: string,
  {status, signal}: {status: number; signal: string | null},
): void {
  if (signal !== null) throw toolKilledError({program, signal})
  if (status !== 0) throw corruptArchiveError({problem: `${program} cannot decompress it`})
}

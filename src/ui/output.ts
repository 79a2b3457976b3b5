import {fstatSync, writeSync} from 'node:fs'
import {errnoOf, wordsForErrno} from '../errors.js'
import {isErrno, unlessErrno} from '../host/errno.js'
import {OutputFailedError, outputFailedError} from './errors.js'

const [STDOUT, STDERR] = [1, 2]
/** How long to let a reader read that has left no room, in a pipe that somebody made non-blocking. */
const RETRY_MS = 5

/**
 * Writes to standard output. Node's own stream for it takes longer to load than most commands to run.
 *
 * @throws {OutputFailedError}
 */
export function writeOutput(text: string): void {
  try {
    writeWhole(STDOUT, text)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw outputFailedError({reason: wordsForErrno(errno)}, {cause: error})
  }
}

/** Writes a result as `--json` shows it. @throws {OutputFailedError} */
export function writeJson(value: unknown): void {
  writeOutput(`${JSON.stringify(value, null, 2)}\n`)
}

/** Writes a failure as `--json` shows it; what can't be written there is told on standard error. */
export function writeJsonFailure(value: unknown, {asText}: {asText: string}): void {
  try {
    writeJson(value)
  } catch (error) {
    if (!(error instanceof OutputFailedError)) throw error
    writeError(asText)
  }
}

/** Writes to standard error; where that can't be, there is nobody to tell. */
export function writeError(text: string): void {
  unlessErrno(() => writeWhole(STDERR, text))
}

/** How wide standard output is; undefined where it is no terminal that knows its own: a serial line has none. */
export function outputColumns(): number | undefined {
  if (!fstatSync(STDOUT).isCharacterDevice()) return undefined
  return process.stdout.isTTY && process.stdout.columns > 0 ? process.stdout.columns : undefined
}

/** For what writes to Node's streams themselves: a reader who has seen enough ends nothing there either. */
export function tolerateClosedStreams(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!isErrno(error, 'EPIPE')) throw error
    })
}

/** @throws {NodeJS.ErrnoException} But for EPIPE (`envs list | head -1`): what the command does is still done. */
function writeWhole(fd: number, text: string): void {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (isErrno(error, 'EPIPE')) return
      if (!isErrno(error, 'EAGAIN')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

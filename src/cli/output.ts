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

/**
 * What a terminal would act on, or show as something it is not: C0, DEL, C1, the marks that reorder or
 * hide text, line separators, and halves of surrogate pairs.
 *
 * @see https://www.unicode.org/reports/tr36/ : section 3.1, bidirectional spoofing
 */
const UNSAFE =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu

/** What is all of it needs no look at Unicode's tables, which take longer to get ready than a command to run. */
const PLAIN = /^[\x20-\x7e]*$/
const PLAIN_LINES = /^[\x20-\x7e\n]*$/

const SHORT: Readonly<Record<string, string>> = {'\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\e'}

/** One line of text nobody vouches for, made safe to print: what could steer a terminal shows as an escape. */
export function escapeText(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSAFE, escapeCharacter)
}

/** As `escapeText`, but line ends stay: for text that envs itself laid out. */
export function escapeLines(text: string): string {
  if (PLAIN_LINES.test(text)) return text
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escapeCharacter(character)))
}

function escapeCharacter(character: string): string {
  const short = SHORT[character]
  if (short !== undefined) return short
  const code = character.codePointAt(0) ?? 0
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

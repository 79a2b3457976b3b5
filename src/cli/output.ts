import {fstatSync, writeSync} from 'node:fs'
import {isatty} from 'node:tty'
import {errnoOf, wordsForErrno} from '../errors.js'
import {bytesOfText, hasBytes} from '../host/argv/bytes.js'
import {isErrno, unlessErrno} from '../host/errno.js'
import {OutputFailedError, outputFailedError} from './errors.js'

const [STDOUT, STDERR] = [1, 2]
/** Wait for a reader of a full pipe that another process made non-blocking. */
const RETRY_MS = 5

/**
 * Writes to standard output. Node's stream for it takes longer to load than most commands to run.
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

/** Writes a failure as `--json` shows it; on standard error if standard output fails. */
export function writeJsonFailure(value: unknown, {asText}: {asText: string}): void {
  try {
    writeJson(value)
  } catch (error) {
    if (!(error instanceof OutputFailedError)) throw error
    writeError(asText)
  }
}

/** Writes to standard error; errors are ignored, because they cannot be reported. */
export function writeError(text: string): void {
  unlessErrno(() => writeWhole(STDERR, text))
}

/**
 * Returns the width of standard output; undefined if it is not a terminal with a known width: a serial line has
 * none.
 */
export function outputColumns(): number | undefined {
  if (!fstatSync(STDOUT).isCharacterDevice()) return undefined
  return process.stdout.isTTY && process.stdout.columns > 0 ? process.stdout.columns : undefined
}

/** Returns whether standard output shows colours. @see https://no-color.org/ */
export function showsColours({NO_COLOR, TERM}: Readonly<Record<string, string | undefined>>): boolean {
  return isatty(STDOUT) && !NO_COLOR && TERM !== 'dumb'
}

/** Ignores EPIPE of Node's streams, for code that writes to them directly. */
export function tolerateClosedStreams(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!isErrno(error, 'EPIPE')) throw error
    })
}

/** Writes all bytes. @throws {NodeJS.ErrnoException} Except EPIPE (`envs list | head -1`): the command continues. */
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
 * Matches characters that a terminal interprets or displays misleadingly: C0, DEL, C1, bidirectional and invisible marks,
 * line separators, and lone surrogates. A function, because V8 makes its tables of Unicode where the literal is met.
 *
 * @see https://www.unicode.org/reports/tr36/ : section 3.1, bidirectional spoofing
 */
const unsafe = () =>
  /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu

/** Text that needs no check with Unicode tables, which take longer to initialize than a command to run. */
const PLAIN = /^[\x20-\x7e]*$/
const PLAIN_LINES = /^[\x20-\x7e\n]*$/

const SHORT_ESCAPES: Readonly<Record<string, string>> = {'\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\e'}

/** Escapes one line of untrusted text for a terminal. */
export function escapeText(text: string): string {
  return PLAIN.test(text) ? text : text.replace(unsafe(), escapeCharacter)
}

/** Escapes text as `escapeText` does, but keeps line ends: for text that envs laid out itself. */
export function escapeLines(text: string): string {
  if (PLAIN_LINES.test(text)) return text
  return text.replace(unsafe(), (character) => (character === '\n' ? character : escapeCharacter(character)))
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character]
  if (short !== undefined) return short
  if (hasBytes(character)) return `\\x${bytesOfText(character).toString('hex')}`
  const code = character.codePointAt(0) ?? 0
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

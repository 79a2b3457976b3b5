import {defineError, EnvsError, ExitCode} from '../../errors.js'
import {isSha256, type Sha256} from '../../host/digest.js'

/** The newest build of one image of images.linuxcontainers.org. */
export type LxcBuild = {
  readonly distribution: string
  readonly release: string
  /** dpkg's name, for processors that envs knows. */
  readonly architecture: string
  readonly variant: string
  /** `20260829_05:24`. */
  readonly serial: string
  /** Path from the root of the server: `/images/debian/trixie/arm64/default/20260829_05:24/`. */
  readonly path: string
}

/** About 430 lines in 2026. */
const MOST_LINES = 20_000

const WORD = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/

/**
 * Parses `meta/1.0/index-system`, whose signature is verified: `distro;release;arch;variant;build;path` a line.
 *
 * The path of a build must consist of its own fields, so that a line cannot lead to the files of another image.
 *
 * @throws {MalformedListingError}
 */
export function parseLxcIndex(data: Buffer, name: string): LxcBuild[] {
  const lines = data.toString('utf8').split('\n')
  if (lines.length > MOST_LINES)
    throw malformedListingError({listing: name, at: `line ${MOST_LINES}`, reason: 'too many lines'})
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [parseLine(line, index + 1, name)]))
}

function parseLine(line: string, number: number, name: string): LxcBuild {
  const fields = line.trim().split(';')
  const [distribution = '', release = '', architecture = '', variant = '', serial = '', path = ''] = fields
  const words = [distribution, release, architecture, variant]
  if (fields.length !== 6)
    throw malformedListingError({listing: name, at: `line ${number}`, reason: 'not six fields'})
  if (!words.every((word) => WORD.test(word)))
    throw malformedListingError({listing: name, at: `line ${number}`, reason: 'not a name'})
  if (!isSerial(serial))
    throw malformedListingError({listing: name, at: `line ${number}`, reason: 'not a serial'})
  if (path !== `/images/${words.join('/')}/${serial}/`) {
    throw malformedListingError({listing: name, at: `line ${number}`, reason: "the path is not this image's"})
  }
  return {distribution, release, architecture, variant, serial, path}
}

export class MalformedListingError extends EnvsError {}

/** A listing or a table is malformed; none of it is used. `at` is a line from 1, or the path of a JSON field. */
export const malformedListingError = defineError(
  'ENVS_MALFORMED_LISTING',
  ExitCode.integrity,
  {
    message: '"{listing}" is malformed at {at}: {reason}.',
    nextStep: 'Use another mirror, or the publisher itself: this mirror serves a wrong file.',
  },
  MalformedListingError,
)

/** A build's date stamp: `20260518`, `20260518.2`, `20260829_05:24`. */
const SERIAL = /^(?<date>\d{8})(?:[._-](?<rest>\d{1,4}(?::\d{2})?))?$/

export function isSerial(text: string): boolean {
  return SERIAL.test(text)
}

/** Compares serials by date, then by the number or time of day after it: `.10` is newer than `.9`. */
export function compareSerials(a: string, b: string): number {
  const [left, right] = [serialNumbers(a), serialNumbers(b)]
  return left.date - right.date || left.rest - right.rest
}

/** Returns midnight UTC of the day of a serial; undefined if it has no valid day. */
export function serialDay(serial: string): Date | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})/.exec(serial)
  if (match === null) return undefined
  const day = new Date(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`)
  return Number.isNaN(day.getTime()) ? undefined : day
}

function serialNumbers(serial: string): {date: number; rest: number} {
  const {date = '0', rest = '0'} = SERIAL.exec(serial)?.groups ?? {}
  return {date: Number(date), rest: Number(rest.replace(':', ''))}
}

/** `<hex> *<name>` (binary) and `<hex>  <name>` (text). @see sha256sum(1) */
const GNU_LINE = /^(?<digest>[0-9a-f]{64}) [ *](?<name>.+)$/
/** Format of `sha256sum --tag` and the BSDs. */
const BSD_LINE = /^SHA256 \((?<name>.+)\) = (?<digest>[0-9a-f]{64})$/

/** File names become the last part of a URL: no folder, no hidden file, no control character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const NAME = /^[^./\u0000-\u001f\u007f][^/\u0000-\u001f\u007f]{0,254}$/

/**
 * Parses a SHA256SUMS, whose signature is verified.
 *
 * @param name - Name of the listing, for errors.
 * @returns Digest by file name. A file may be listed twice, but only with the same digest.
 * @throws {MalformedListingError} On the first line that is neither blank nor a digest and a name.
 */
export function parseSha256Sums(data: Buffer, name: string): ReadonlyMap<string, Sha256> {
  const lines = data.toString('utf8').split('\n')
  if (lines.length > MOST_LINES)
    throw malformedListingError({listing: name, at: `line ${MOST_LINES}`, reason: 'too many lines'})
  const sums = new Map<string, Sha256>()
  for (const [index, line] of lines.entries()) {
    if (line === '') continue
    const {digest = '', name: file = ''} = (GNU_LINE.exec(line) ?? BSD_LINE.exec(line))?.groups ?? {}
    if (!isSha256(digest))
      throw malformedListingError({listing: name, at: `line ${index + 1}`, reason: 'not a digest and a name'})
    if (!NAME.test(file))
      throw malformedListingError({listing: name, at: `line ${index + 1}`, reason: 'not the name of a file'})
    const known = sums.get(file)
    if (known !== undefined && known !== digest) {
      throw malformedListingError({
        listing: name,
        at: `line ${index + 1}`,
        reason: 'a second digest for the same file',
      })
    }
    sums.set(file, digest)
  }
  return sums
}

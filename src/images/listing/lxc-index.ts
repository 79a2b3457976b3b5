import {malformedListingError} from './errors.js'
import {isSerial} from './serial.js'

/** The newest build of one image of images.linuxcontainers.org. */
export type LxcBuild = {
  readonly distribution: string
  readonly release: string
  /** dpkg's names, as far as they are of processors envs knows. */
  readonly architecture: string
  readonly variant: string
  /** `20260829_05:24`. */
  readonly serial: string
  /** From the server's root: `/images/debian/trixie/arm64/default/20260829_05:24/`. */
  readonly path: string
}

/** Some 430 in 2026. */
const MOST_LINES = 20_000

const WORD = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/

/**
 * Reads `meta/1.0/index-system`, whose signature has been verified: `distro;release;arch;variant;build;path` a line.
 *
 * A build's path must be made of its own fields, so that a line can't lead to another image's files.
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

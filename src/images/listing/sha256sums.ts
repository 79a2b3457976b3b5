import {isSha256, type Sha256} from '../../host/digest.js'
import {malformedListingError} from './errors.js'

/** Kali's and Void's, the longest known, have some hundreds. */
const MOST_LINES = 20_000

/** `<hex> *<name>` (binary) and `<hex>  <name>` (text). @see sha256sum(1) */
const GNU_LINE = /^(?<digest>[0-9a-f]{64}) [ *](?<name>.+)$/
/** What `sha256sum --tag` and the BSDs write. */
const BSD_LINE = /^SHA256 \((?<name>.+)\) = (?<digest>[0-9a-f]{64})$/

/** Names become the last part of a URL: no folder, no hidden file, nothing that moves a terminal's cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const NAME = /^[^./\u0000-\u001f\u007f][^/\u0000-\u001f\u007f]{0,254}$/

/**
 * Reads a SHA256SUMS, whose signature has been verified.
 *
 * @param name - How to name the listing in an error.
 * @returns Digest by file name. A file may be listed twice, but with one digest only.
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

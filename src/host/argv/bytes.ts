import {readFileSync, readlinkSync} from 'node:fs'

/**
 * Text for bytes that may not be UTF-8, as arguments and paths: each byte that belongs to no character becomes a lone surrogate,
 * U+DC00 plus the byte. Node itself would replace such bytes by U+FFFD, and lose them.
 *
 * @see https://peps.python.org/pep-0383/
 */
export function textOfBytes(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(PIECES, (piece) =>
      piece.length === 1 && piece > '\x7f'
        ? String.fromCharCode(0xdc00 + piece.charCodeAt(0))
        : Buffer.from(piece, 'latin1').toString('utf8'),
    )
}

/** Well-formed characters, or else one byte. @see https://www.unicode.org/versions/latest/core-spec/chapter-3/ : table 3-7 */
const PIECES = new RegExp(
  [
    '[\\x00-\\x7f]+',
    '[\\xc2-\\xdf][\\x80-\\xbf]',
    '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]',
    '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
    '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}',
    '[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}',
    '[\\x80-\\xff]',
  ].join('|'),
  'g',
)

/** Matches the lone surrogate of one byte. */
const BYTE = /[\udc80-\udcff]/u
const EACH_BYTE = /([\udc80-\udcff])/u

/** Returns whether text stands for bytes that are not UTF-8. */
export function hasBytes(text: string): boolean {
  return BYTE.test(text)
}

/** Returns the bytes of {@link textOfBytes}, for a file or for system calls on a path. */
export function bytesOfText(text: string): Buffer {
  const parts = text.split(EACH_BYTE)
  return Buffer.concat(
    parts.map((part) => (BYTE.test(part) ? Buffer.of(part.charCodeAt(0) & 0xff) : Buffer.from(part))),
  )
}

/** The word before percent-encoded words. */
export const PERCENT_MARK = '%'

/**
 * Returns words for the arguments of a program that reads them back, because Node can pass UTF-8 alone: unchanged, or after the word
 * `%`, with each `%` and each byte that is not UTF-8 as `%` and two hexadecimal digits.
 */
export function percentWords(words: readonly string[]): string[] {
  return words.some(hasBytes) ? [PERCENT_MARK, ...words.map(percentText)] : [...words]
}

/** Returns one word or value as {@link percentWords} has it after the mark. */
export function percentText(text: string): string {
  return text.replace(/[%\udc80-\udcff]/gu, (character) => {
    const byte = character.charCodeAt(0) & 0xff
    return `%${byte.toString(16).padStart(2, '0')}`
  })
}

/** Node's replacement of what is not UTF-8; a typed one is possible, too. */
const REPLACED = '\ufffd'

/** Returns the arguments of this process with every byte. @param decoded - The last ones, as Node decoded them. */
export function exactArguments(decoded: readonly string[]): readonly string[] {
  if (decoded.length === 0 || !decoded.some((word) => word.includes(REPLACED))) return decoded
  return fieldsOf('/proc/self/cmdline').slice(-decoded.length)
}

/** Returns the variables of this process with every byte. @param decoded - As Node decoded them. */
export function exactVariables(
  decoded: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  if (!Object.values(decoded).some((value) => value?.includes(REPLACED))) return decoded
  const exact = new Map(
    fieldsOf('/proc/self/environ').map((field) => {
      const [name = ''] = field.split('=', 1)
      return [name, field.slice(name.length + 1)]
    }),
  )
  return Object.fromEntries(
    Object.entries(decoded).map(([name, value]) => [
      name,
      value?.includes(REPLACED) ? (exact.get(name) ?? value) : value,
    ]),
  )
}

/** Returns the working folder with every byte. @param decoded - As Node decoded it. */
export function exactFolder(decoded: string): string {
  return decoded.includes(REPLACED)
    ? textOfBytes(readlinkSync('/proc/self/cwd', {encoding: 'buffer'}))
    : decoded
}

/** Returns the fields of a file of the kernel, each of which ends with a NUL. */
function fieldsOf(path: string): string[] {
  return textOfBytes(readFileSync(path)).split('\0').slice(0, -1)
}

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

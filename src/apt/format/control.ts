const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const TAB = 0x09
const HASH = 0x23
/**
 * Makes an ASCII letter lower-case, and does not change the hyphen: names of fields contain no other
 * characters.
 */
const SMALL = 0x20

/** Provides of a package of many crates is 60 kB; a line without an end must not exhaust the memory. */
const MOST_LINE_BYTES = 4 * 2 ** 20

/** A paragraph's values in the order of the requested fields; undefined for missing ones. */
export type Paragraph = readonly (string | undefined)[]

/** A line is too long for a control file. */
export class LongLineError extends Error {
  constructor() {
    super(`a line of more than ${MOST_LINE_BYTES} bytes`)
  }
}

export type ParagraphReader = {
  /**
   * Returns the paragraphs that are complete; the bytes may be overwritten afterwards. @throws
   * {LongLineError}
   */
  push(bytes: Buffer): void
  /** Returns the last paragraph, which need not end with an empty line. */
  end(): void
}

/**
 * Parses control files paragraph by paragraph, as bytes: the index of Debian's packages is 55 MB in 1.5
 * million lines, and envs needs few of them.
 *
 * Values are byte strings (latin1), without the blanks around them; each continuation line follows a newline.
 * Names of fields are case-insensitive; of a repeated field, the last counts.
 *
 * @param fields - Names of the fields to return.
 * @param onRepeated - Called for a requested field that a paragraph has twice.
 * @see deb822(5). As in APT, a line of blanks continues the field before it.
 */
export function readParagraphs(
  fields: readonly string[],
  onParagraph: (paragraph: Paragraph) => void,
  onRepeated?: (field: string) => void,
): ParagraphReader {
  const wanted = byFirstLetter(fields)
  let values: (string | undefined)[] = []
  let isEmpty = true
  let current = -1
  let rest: Buffer | undefined

  const finish = () => {
    if (!isEmpty) onParagraph(values)
    values = []
    isEmpty = true
    current = -1
  }
  const readLine = (bytes: Buffer, start: number, end: number) => {
    const first = bytes[start] ?? 0
    if (start === end || (first === RETURN && start + 1 === end)) return finish()
    if (first === HASH) return
    isEmpty = false
    if (first === SPACE || first === TAB) {
      if (current !== -1) values[current] = `${values[current] ?? ''}\n${valueIn(bytes, start, end)}`
      return
    }
    current = -1
    for (const field of wanted[first | SMALL] ?? []) {
      if (!isNamed(bytes, start, field.name)) continue
      current = field.place
      if (onRepeated !== undefined && values[current] !== undefined) onRepeated(fields[current] ?? '')
      values[current] = valueIn(bytes, start + field.name.length, end)
      return
    }
  }
  return {
    push(chunk) {
      const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
      let start = 0
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        readLine(bytes, start, end)
        start = end + 1
      }
      if (bytes.length - start > MOST_LINE_BYTES) throw new LongLineError()
      rest = start === bytes.length ? undefined : Buffer.from(bytes.subarray(start))
    },
    end() {
      if (rest !== undefined) readLine(rest, 0, rest.length)
      rest = undefined
      finish()
    },
  }
}

/** Parses all paragraphs of a small file. @param onRepeated - As for {@link readParagraphs}. */
export function parseParagraphs(
  bytes: Buffer,
  fields: readonly string[],
  onRepeated?: (field: string) => void,
): Paragraph[] {
  const found: Paragraph[] = []
  const reader = readParagraphs(fields, (paragraph) => found.push(paragraph), onRepeated)
  reader.push(bytes)
  reader.end()
  return found
}

type Field = {
  /** In lower case, with the colon. */
  readonly name: Buffer
  readonly place: number
}

function byFirstLetter(fields: readonly string[]): readonly (readonly Field[] | undefined)[] {
  const table: Field[][] = []
  for (const [place, text] of fields.entries()) {
    const name = Buffer.from(`${text.toLowerCase()}:`)
    const first = name[0] ?? 0
    table[first] = [...(table[first] ?? []), {name, place}]
  }
  return table
}

function isNamed(bytes: Buffer, start: number, name: Buffer): boolean {
  const last = name.length - 1
  if (bytes[start + last] !== name[last]) return false
  for (let at = 1; at < last; at++) if (((bytes[start + at] ?? 0) | SMALL) !== name[at]) return false
  return true
}

function valueIn(bytes: Buffer, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isBlank(bytes[start])) start++
  while (end > start && isBlank(bytes[end - 1])) end--
  return bytes.toString('latin1', start, end)
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === RETURN
}

/** An installed package, complete or partial, from dpkg's status file: untrusted input from the guest. */
export type PresentPackage = {
  readonly name: string
  readonly architecture: string
  readonly version: string
  /** `installed`, or the state in which dpkg stopped: `half-configured`, … */
  readonly state: string
  /** MD5 digest of each original conffile, by path (byte string relative to the root). */
  readonly conffiles: ReadonlyMap<string, string>
}

const NAME = /^Package: (?<value>[a-z0-9][a-z0-9+.-]*)$/m
const VERSION = /^Version: (?<value>[A-Za-z0-9.+:~-]+)$/m
const ARCHITECTURE = /^Architecture: (?<value>[a-z0-9-]+)$/m
const STATE = /^Status: [a-z]+ [a-z]+ (?<value>[a-z-]+)$/m
const CONFFILE = /^ \/(?<path>.+?) (?<md5>[0-9a-f]{32})(?: obsolete| remove-on-upgrade)*$/
/** States in which at most the conffiles are present. */
const ABSENT: readonly string[] = ['not-installed', 'config-files']

/**
 * Returns the packages of a tree by name and architecture; malformed paragraphs are skipped.
 *
 * @param text - /var/lib/dpkg/status, one character a byte.
 * @see deb822(5); dpkg(1), "Package states"; dpkg-query(1), "Conffiles"
 */
export function parseDpkgStatus(text: string): Map<string, PresentPackage> {
  const found = new Map<string, PresentPackage>()
  for (const paragraph of text.split('\n\n')) {
    const [name, version] = [fieldIn(NAME, paragraph), fieldIn(VERSION, paragraph)]
    const [architecture, state] = [fieldIn(ARCHITECTURE, paragraph), fieldIn(STATE, paragraph)]
    if (name === undefined || version === undefined || architecture === undefined) continue
    if (state === undefined || ABSENT.includes(state)) continue
    const conffiles = new Map(conffilesOf(paragraph))
    found.set(`${name}:${architecture}`, {name, architecture, version, state, conffiles})
  }
  return found
}

function fieldIn(field: RegExp, paragraph: string): string | undefined {
  return field.exec(paragraph)?.groups?.['value']
}

function conffilesOf(paragraph: string): [path: string, md5: string][] {
  const lines = paragraph.split('\n')
  const start = lines.indexOf('Conffiles:') + 1
  if (start === 0) return []
  const found: [string, string][] = []
  for (const line of lines.slice(start)) {
    if (!line.startsWith(' ')) break
    const {path, md5} = CONFFILE.exec(line)?.groups ?? {}
    if (path !== undefined && md5 !== undefined) found.push([path, md5])
  }
  return found
}

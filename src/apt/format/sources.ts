/** An entry of APT's sources, enabled or not. Texts are byte strings (latin1), so that nothing else changes. */
export type AptSource = {
  readonly uri: string
  /** Suites of its entry, as written: `noble`, `noble-updates`, `./`. */
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** `deb`, `deb-src`. */
  readonly types: readonly string[]
  readonly isEnabled: boolean
  /** File of the keys it is verified by, where the entry names one. */
  readonly signedBy: string | undefined
  /** Offsets of the URI in the text; the second is that of the next character. */
  readonly start: number
  readonly end: number
}

/** One of the two formats of sources.list(5). */
export type AptSourceFormat = {
  /** All entries, in the order of the text. */
  readonly find: (text: string) => AptSource[]
  /** Returns a URI as written in this format. */
  readonly quote: (uri: string) => string
}

/** Bounds the number of source files: ten times as many as on a desktop with many vendors. */
export const MOST_SOURCE_FILES = 100

/** Returns whether APT reads a file with this name in sources.list.d. @see sources.list(5) */
export function isAptSourceFile(name: string): boolean {
  return /^[A-Za-z0-9_.-]+\.(?:list|sources)$/.test(name)
}

/** Returns the format of a source file. @param path - Path of a file that APT reads. */
export function aptSourceFormat(path: string): AptSourceFormat {
  return path.endsWith('.sources') ? deb822Sources : oneLineSources
}

/** Returns whether APT installs binary packages from this source. */
export function givesPackages({types, isEnabled}: AptSource): boolean {
  return isEnabled && types.includes('deb')
}

/** Replaces the URIs for which `choose` returns another one, and keeps all other bytes. */
export function replaceUris(
  text: string,
  format: AptSourceFormat,
  choose: (source: AptSource) => string | undefined,
): string {
  const parts: string[] = []
  let from = 0
  for (const source of format.find(text)) {
    const uri = choose(source)
    if (uri === undefined) continue
    parts.push(text.slice(from, source.start), Buffer.from(format.quote(uri)).toString('latin1'))
    from = source.end
  }
  return parts.join('') + text.slice(from)
}

/** White space as APT knows it: `\s` would match a byte of a UTF-8 letter. */
const S = '[ \\t\\v\\f\\r]'
const WORD = '[^ \\t\\v\\f\\r#"]+'

/** `deb [option=value …] URI suite [component …]`; any other line is disabled or not an entry. */
const ENTRY = new RegExp(
  `^${S}*(?<type>deb(?:-src)?)${S}+(?:\\[(?<options>[^\\]]*)\\]${S}*)?` +
    `(?<uri>[A-Za-z][A-Za-z0-9+.-]*://${WORD})${S}+(?<suite>${WORD})(?<components>[^#]*)`,
  'd',
)

/** Files named `*.list`; without entries that have no host. @see sources.list(5), "one-line-style format" */
export const oneLineSources: AptSourceFormat = {
  find(text) {
    const found: AptSource[] = []
    let lineStart = 0
    for (const line of text.split('\n')) {
      const source = readEntry(line, lineStart)
      if (source !== undefined) found.push(source)
      lineStart += line.length + 1
    }
    return found
  },
  // APT decodes %XX here, but not in the other format.
  quote: (uri) => uri.replaceAll('%', '%25'),
}

function readEntry(line: string, lineStart: number): AptSource | undefined {
  const match = ENTRY.exec(line)
  const {type, uri, suite, options = '', components = ''} = match?.groups ?? {}
  const place = match?.indices?.groups?.['uri']
  if (type === undefined || uri === undefined || suite === undefined || place === undefined) return undefined
  return {
    uri,
    suites: [suite],
    components: wordsIn(components).map(({word}) => word),
    types: [type],
    isEnabled: true,
    signedBy: /(?:^|\s)signed-by=(?<file>\S+)/.exec(options)?.groups?.['file'],
    start: lineStart + place[0],
    end: lineStart + place[1],
  }
}

/** The position of a field's value: the rest of its own line, then its continuation lines. */
type SourceField = {readonly name: string; readonly pieces: {start: number; end: number}[]}

type Stanza = ReadonlyMap<string, SourceField>

/** Files named `*.sources`. @see sources.list(5), "deb822-style format"; deb822(5) */
export const deb822Sources: AptSourceFormat = {
  find: (text) => stanzasIn(text).flatMap((stanza) => sourcesOf(stanza, text)),
  quote: (uri) => uri,
}

/** @see apt.conf(5): the words that APT takes for no. */
const NOT_ENABLED = /^(?:no|false|without|off|disable)$/i

function sourcesOf(stanza: Stanza, text: string): AptSource[] {
  const placesOf = (name: string) =>
    (stanza.get(name)?.pieces ?? []).flatMap(({start, end}) => wordsIn(text, start, end))
  const wordsOf = (name: string) => placesOf(name).map(({word}) => word)
  const suites = wordsOf('suites')
  if (suites.length === 0) return []
  const [key] = wordsOf('signed-by')
  const entry = {
    suites,
    components: wordsOf('components'),
    types: wordsOf('types'),
    isEnabled: !NOT_ENABLED.test(wordsOf('enabled').join(' ')),
    signedBy: key?.startsWith('/') === true ? key : undefined,
  }
  return placesOf('uris').map(({word, start, end}) => ({...entry, uri: word, start, end}))
}

/** Returns fields by name in lower case; of a repeated name, APT takes the last. */
function stanzasIn(text: string): Stanza[] {
  const all: Stanza[] = []
  let stanza = new Map<string, SourceField>()
  let field: SourceField | undefined
  let start = 0
  for (const line of text.split('\n')) {
    const end = start + line.length
    if (line === '' || line === '\r') {
      // Only empty lines end a stanza: APT reads a line of blanks as a continuation of the field before it.
      all.push(stanza)
      stanza = new Map()
      field = undefined
    } else if (/^[ \t]/.test(line)) {
      field?.pieces.push({start, end})
    } else if (!line.startsWith('#')) {
      field = readSourceField(line, start)
      if (field !== undefined) stanza.set(field.name, field)
    }
    start = end + 1
  }
  return [...all, stanza]
}

function readSourceField(line: string, start: number): SourceField | undefined {
  const colon = line.indexOf(':')
  if (colon === -1) return undefined
  const pieces = [{start: start + colon + 1, end: start + line.length}]
  return {name: line.slice(0, colon).trim().toLowerCase(), pieces}
}

/** Returns the words of a part of the text, with their positions. */
function wordsIn(text: string, start = 0, end = text.length): {word: string; start: number; end: number}[] {
  return [...text.slice(start, end).matchAll(/[^ \t\v\f\r\n]+/g)].map(({0: word, index}) => ({
    word,
    start: start + index,
    end: start + index + word.length,
  }))
}

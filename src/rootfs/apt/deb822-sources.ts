import {type SourceFormat, type SourceUri, wordsIn} from './source-format.js'

/** The position of a field's value: the rest of its own line, then its continuation lines. */
type Field = {readonly name: string; readonly pieces: {start: number; end: number}[]}

/**
 * Files named `*.sources`: stanzas of fields, including disabled ones.
 *
 * @see sources.list(5), "deb822-style format"; deb822(5)
 */
export const deb822Sources: SourceFormat = {
  find: (text) => stanzas(text).flatMap((fields) => urisOf(fields, text)),
  quote: (uri) => uri,
}

function urisOf(fields: ReadonlyMap<string, Field>, text: string): SourceUri[] {
  const suites = words(fields.get('suites'), text).map(({word}) => word)
  if (suites.length === 0) return []
  return words(fields.get('uris'), text).map(({word, start, end}) => ({uri: word, suites, start, end}))
}

function words(field: Field | undefined, text: string) {
  return (field?.pieces ?? []).flatMap(({start, end}) => wordsIn(text, start, end))
}

/** Returns fields by name in lower case; of a repeated name, APT takes the last. */
function stanzas(text: string): Map<string, Field>[] {
  const all: Map<string, Field>[] = []
  let stanza = new Map<string, Field>()
  let field: Field | undefined
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
      field = readField(line, start)
      if (field !== undefined) stanza.set(field.name, field)
    }
    start = end + 1
  }
  return [...all, stanza]
}

function readField(line: string, start: number): Field | undefined {
  const colon = line.indexOf(':')
  if (colon === -1) return undefined
  const pieces = [{start: start + colon + 1, end: start + line.length}]
  return {name: line.slice(0, colon).trim().toLowerCase(), pieces}
}

import type {SourceFormat, SourceUri} from './source-format.js'

/** White space as APT knows it: `\s` would match a byte of a UTF-8 letter. */
const S = '[ \\t\\v\\f\\r]'
const WORD = '[^ \\t\\v\\f\\r#"]+'

/** `deb [option=value …] URI suite [component …]`; any other line is disabled or not an entry. */
const ENTRY = new RegExp(
  `^${S}*deb(?:-src)?${S}+(?:\\[[^\\]]*\\]${S}*)?(?<uri>[A-Za-z][A-Za-z0-9+.-]*://${WORD})${S}+(?<suite>${WORD})`,
  'd',
)

/** Files named `*.list`. @see sources.list(5), "one-line-style format" */
export const oneLineSources: SourceFormat = {
  find(text) {
    const found: SourceUri[] = []
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

function readEntry(line: string, lineStart: number): SourceUri | undefined {
  const match = ENTRY.exec(line)
  const {uri, suite} = match?.groups ?? {}
  const place = match?.indices?.groups?.['uri']
  if (uri === undefined || suite === undefined || place === undefined) return undefined
  return {uri, suites: [suite], start: lineStart + place[0], end: lineStart + place[1]}
}

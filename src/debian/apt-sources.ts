import {parseParagraphs} from './control.js'

/** An entry of APT's sources for binary packages that is in force. */
export type AptSource = {
  readonly uri: string
  /** `trixie`, `trixie-updates`. */
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** File of the keys it is verified by, where the entry names one. */
  readonly signedBy: string | undefined
}

/** `deb [option=value …] URI suite component …` */
const ENTRY =
  /^\s*deb\s+(?:\[(?<options>[^\]]*)\]\s*)?(?<uri>[A-Za-z][^\s#]*)\s+(?<suite>[^\s#]+)(?<components>[^#]*)/

/** The entries of a file `*.list`. @see sources.list(5), "one-line-style format" */
export function parseOneLineSources(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const {options = '', uri, suite, components = ''} = ENTRY.exec(line)?.groups ?? {}
    if (uri === undefined || suite === undefined) return []
    const signedBy = /(?:^|\s)signed-by=(?<file>\S+)/.exec(options)?.groups?.['file']
    return [{uri, suites: [suite], components: wordsOf(components), signedBy}]
  })
}

/** The entries of a file `*.sources`. @see sources.list(5), "deb822-style format" */
export function parseDeb822Sources(bytes: Buffer): AptSource[] {
  const fields = ['Types', 'URIs', 'Suites', 'Components', 'Enabled', 'Signed-By']
  return parseParagraphs(bytes, fields).flatMap(([types, uris, suites, components, enabled, signedBy]) => {
    if (!wordsOf(types).includes('deb') || NOT_ENABLED.test(enabled ?? '')) return []
    const file = signedBy?.startsWith('/') === true ? signedBy : undefined
    return wordsOf(uris).map((uri) => ({
      uri,
      suites: wordsOf(suites),
      components: wordsOf(components),
      signedBy: file,
    }))
  })
}

/** @see apt.conf(5): the words that APT takes for no. */
const NOT_ENABLED = /^(?:no|false|without|off|disable)$/i

function wordsOf(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '')
}

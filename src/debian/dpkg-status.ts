/** A package that is there, whole or in parts, as dpkg wrote it down: the guest's word. */
export type PresentPackage = {
  readonly name: string
  readonly architecture: string
  readonly version: string
  /** `installed`, or where dpkg stopped: `half-configured`, … */
  readonly state: string
  /** Settings that dpkg watches: MD5 of the file that the package brought, by path (byte string below the root). */
  readonly conffiles: ReadonlyMap<string, string>
}

const NAME = /^Package: (?<value>[a-z0-9][a-z0-9+.-]*)$/m
const VERSION = /^Version: (?<value>[A-Za-z0-9.+:~-]+)$/m
const ARCHITECTURE = /^Architecture: (?<value>[a-z0-9-]+)$/m
const STATE = /^Status: [a-z]+ [a-z]+ (?<value>[a-z-]+)$/m
const CONFFILE = /^ \/(?<path>.+?) (?<md5>[0-9a-f]{32})(?: obsolete| remove-on-upgrade)*$/
/** Nothing of it is there but, perhaps, its settings. */
const ABSENT: readonly string[] = ['not-installed', 'config-files']

/**
 * The packages of a tree by name and architecture; paragraphs that are none are read over.
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

import {parseParagraphs} from '../debian/control.js'
import {isSha256, type Sha256} from '../host/digest.js'
import {malformedReleaseError, type SuitePlace} from './errors.js'

/** What a suite's Release says, in its publisher's words. */
export type ReleaseFile = {
  readonly suite: string | undefined
  readonly codename: string | undefined
  readonly date: Date
  readonly validUntil: Date | undefined
  readonly architectures: readonly string[]
  readonly components: readonly string[]
  readonly hasByHash: boolean
  /** The indices of each architecture hold the packages for all of them too. */
  readonly repeatsAll: boolean
  /** Packages files and their compressed forms, by path below the suite's folder. */
  readonly indices: ReadonlyMap<string, IndexFile>
}

export type IndexFile = {readonly sha256: Sha256; readonly sizeBytes: number}

const FIELDS = [
  'Suite',
  'Codename',
  'Date',
  'Valid-Until',
  'Architectures',
  'Components',
  'Acquire-By-Hash',
  'No-Support-for-Architecture-all',
  'SHA256',
] as const

const LINE = /^(?<sha256>[0-9a-f]{64})\s+(?<size>\d{1,12})\s+(?<path>\S+)$/
/** Only these are ever asked for; an archive lists some thousand others. */
const INDEX = /^[A-Za-z0-9.+_/-]+\/Packages(?:\.xz|\.gz)?$/

/**
 * Reads the verified bytes of a Release. Nothing may stand twice: two readers would take two publishers' words for one.
 *
 * @throws {@link malformedReleaseError}
 * @see https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files
 */
export function parseReleaseFile(bytes: Buffer, place: SuitePlace): ReleaseFile {
  const [paragraph = []] = parseParagraphs(bytes, FIELDS, (field) => {
    throw malformedReleaseError({...place, reason: `it has the field ${field} twice`})
  })
  const [suite, codename, date, validUntil, architectures, components, byHash, noSupport, sums] = paragraph
  if (sums === undefined) throw malformedReleaseError({...place, reason: 'it lists no SHA-256 digests'})
  return {
    suite,
    codename,
    date: readDate('Date', date, place),
    validUntil: validUntil === undefined ? undefined : readDate('Valid-Until', validUntil, place),
    architectures: wordsOf(architectures),
    // Debian's security archive names them updates/main, and has them in main.
    components: wordsOf(components).map((component) => component.replace(/^updates\//, '')),
    hasByHash: byHash === 'yes',
    repeatsAll: !wordsOf(architectures).includes('all') || wordsOf(noSupport).includes('Packages'),
    indices: parseIndices(sums, place),
  }
}

function parseIndices(sums: string, place: SuitePlace): Map<string, IndexFile> {
  const found = new Map<string, IndexFile>()
  for (const line of sums.split('\n')) {
    const {sha256 = '', size, path = ''} = LINE.exec(line)?.groups ?? {}
    if (!isSha256(sha256) || !INDEX.test(path)) continue
    if (found.has(path)) throw malformedReleaseError({...place, reason: `it lists ${path} twice`})
    found.set(path, {sha256, sizeBytes: Number(size)})
  }
  return found
}

/** `Sat, 21 Nov 2026 09:15:44 UTC`. @see RFC 5322, section 3.3 */
function readDate(field: string, text: string | undefined, place: SuitePlace): Date {
  const date = new Date(text ?? '')
  if (Number.isNaN(date.getTime())) throw malformedReleaseError({...place, reason: `it has no ${field}`})
  return date
}

function wordsOf(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '')
}

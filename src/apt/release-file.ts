import {readdir, unlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256, type Sha256} from '../host/digest.js'
import {ignoring, isErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import type {Paths} from '../host/paths.js'
import {type ArchiveContext, keyOf} from './context.js'
import {
  expiredReleaseError,
  futureReleaseError,
  malformedReleaseError,
  type SuitePlace,
  storageError,
  wrongSuiteError,
} from './errors.js'
import {parseParagraphs} from './format/control.js'
import type {Pocket} from './pockets.js'

/** Tolerance for clocks without a battery, and for mirrors with a wrong time zone. */
const MOST_AHEAD_MS = 24 * 60 * 60_000

/**
 * Checks a verified Release against the request: a mirror could serve another suite of the same publisher, or an
 * old state of this suite.
 *
 * @throws {@link wrongSuiteError} @throws {@link futureReleaseError} @throws {@link expiredReleaseError}
 */
export function checkRelease(
  file: ReleaseFile,
  {place, pocket, context}: {place: SuitePlace; pocket: Pocket; context: ArchiveContext},
): void {
  const {suite, mirror} = place
  const isSuite = pocket.suiteField === undefined || file.suite === pocket.suiteField
  if (file.codename !== pocket.codename || !isSuite) {
    throw wrongSuiteError({
      ...place,
      served: file.suite === undefined ? `${file.codename}` : `${file.codename} (${file.suite})`,
    })
  }
  const {now} = context
  if (file.date.getTime() - now.getTime() > MOST_AHEAD_MS) {
    throw futureReleaseError({...place, date: file.date, now})
  }
  const {validUntil} = file
  if (validUntil === undefined || validUntil > now) return
  if (context.allowExpired !== true) throw expiredReleaseError({...place, validUntil})
  context.onNotice?.({kind: 'release-expired', suite, mirror, validUntil})
}

/** The content of a suite's Release. */
export type ReleaseFile = {
  readonly suite: string | undefined
  readonly codename: string | undefined
  readonly date: Date
  readonly validUntil: Date | undefined
  readonly architectures: readonly string[]
  readonly components: readonly string[]
  readonly hasByHash: boolean
  /** Whether the index of each architecture includes the packages for all architectures. */
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
/** Matches the indices that envs reads; a repository lists thousands of other files. */
const INDEX = /^[A-Za-z0-9.+_/-]+\/Packages(?:\.xz|\.gz)?$/

/**
 * Parses the verified bytes of a Release. A repeated field or file is refused, because two readers could take
 * different values.
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
    // Debian's security repository calls its components updates/main, but stores them in main.
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

/**
 * Returns the folder that records the newest Release date that a mirror served for a suite: an empty file, named
 * by the date.
 *
 * So two commands need no lock, and neither can set the date back.
 */
export function seenFolder({data}: Pick<Paths, 'data'>, place: SuitePlace): string {
  return join(data, 'archive', 'seen', keyOf(place))
}

/** Returns the newest recorded date; undefined if there is none. @throws {ArchiveStorageError} */
export async function newestSeen(folder: string): Promise<Date | undefined> {
  const times = (await datesIn(folder)).map(Number)
  return times.length === 0 ? undefined : new Date(Math.max(...times))
}

/** Records the date of a Release, and removes older ones. @throws {ArchiveStorageError} */
export async function rememberSeen(folder: string, date: Date): Promise<void> {
  const name = String(date.getTime())
  try {
    await makeFolders(folder, {mode: 0o700})
    await writeFile(join(folder, name), '', {mode: 0o600})
    for (const other of await datesIn(folder)) {
      if (Number(other) < date.getTime()) await unlink(join(folder, other)).catch(ignoring('ENOENT'))
    }
  } catch (error) {
    throw storageError(folder, error)
  }
}

/** File name: a time in milliseconds since 1970. */
const NAME = /^\d{1,15}$/

async function datesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw storageError(folder, error)
  }
}

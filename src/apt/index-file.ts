import {type FileHandle, open, readdir, readFile, rm} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {decompress} from '../compression/decompress.js'
import {CorruptArchiveError, UnknownArchiveError} from '../compression/errors.js'
import {openArchiveInput, readDescriptor} from '../compression/input.js'
import {writeCacheFile} from '../host/cache.js'
import {ignoreFailure, ignoring, isErrno} from '../host/errno.js'
import {DigestMismatchError} from '../host/errors.js'
import {makeFolders} from '../host/files.js'
import {download} from '../host/http/download.js'
import {NetworkError, UnexpectedSizeError} from '../host/http/errors.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import type {Paths} from '../host/paths.js'
import {type ArchiveContext, keyOf, type MirrorSuite, urlInSuite} from './context.js'
import {
  indexMismatchError,
  malformedIndexError,
  missingIndexError,
  notInSuiteError,
  type SuitePlace,
  storageError,
} from './errors.js'
import {LongLineError, readParagraphs} from './format/control.js'
import {openPackageIndex, type PackageIndex, PackageIndexBuilder, RECORD_FIELDS} from './package-index.js'
import type {OpenedRelease} from './release.js'
import type {IndexFile} from './release-file.js'

/** Bound if the Release gives no size; Debian's index has 57 MB. */
const MOST_DECODED_BYTES = 512 * 2 ** 20

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: readonly (number | undefined)[] = [404, 410]

/**
 * Downloads an index, verifies its digest, and parses it only then.
 *
 * @param onBytes - Called with the number of received bytes.
 * @returns The file that `openPackageIndex` reads.
 * @throws {MissingIndexError}
 * @throws {@link indexMismatchError} @throws {@link malformedIndexError} @throws {NetworkError} @throws {@link
 * downloadStorageError} @throws {ToolMissingError}
 */
export async function fetchIndex(
  place: MirrorSuite,
  listed: ListedIndex,
  {context, onBytes}: {context: ArchiveContext; onBytes: (receivedBytes: number) => void},
): Promise<Buffer> {
  const folder = join(context.paths.cache, 'archive', 'downloads')
  await makeFolders(folder, {mode: 0o700}).catch((error: unknown) => {
    throw storageError(folder, error)
  })
  const destination = join(folder, listed.sha256)
  for (;;) {
    await downloadIndex(place, listed, {destination, context, onBytes})
    const file = await open(destination).catch(ignoring('ENOENT'))
    // Another command downloaded the same file, and removed it already.
    if (file === undefined) continue
    try {
      await rm(destination, {force: true})
      return await parseIndex(place, listed, {file, context})
    } finally {
      await file.close()
    }
  }
}

async function downloadIndex(
  place: MirrorSuite,
  listed: ListedIndex,
  {
    destination,
    context,
    onBytes,
  }: {destination: string; context: ArchiveContext; onBytes: (receivedBytes: number) => void},
): Promise<void> {
  const paths = listed.byHashPath === undefined ? [listed.path] : [listed.byHashPath, listed.path]
  for (const path of paths) {
    try {
      const {environment, signal, backoffMs} = context
      await download({
        environment,
        signal,
        ...(backoffMs === undefined ? {} : {backoffMs}),
        url: urlInSuite(place, path),
        destination,
        sha256: listed.sha256,
        expectedBytes: listed.sizeBytes,
        maxBytes: listed.sizeBytes,
        onProgress: (event) => {
          if (event.stage === 'download') onBytes(event.receivedBytes)
          if (event.stage === 'download-retry') {
            context.onProgress?.({stage: 'retry', waitMs: event.waitMs, reason: event.reason})
          }
        },
      })
      return
    } catch (error) {
      if (error instanceof NetworkError && MISSING.includes(error.status)) continue
      if (error instanceof DigestMismatchError || error instanceof UnexpectedSizeError) {
        throw indexMismatchError({...place, file: listed.path}, {cause: error})
      }
      throw error
    }
  }
  throw missingIndexError({...place, file: listed.path})
}

async function parseIndex(
  place: MirrorSuite,
  {path: listedPath, decodedBytes}: ListedIndex,
  {file, context}: {file: FileHandle; context: ArchiveContext},
): Promise<Buffer> {
  const builder = new PackageIndexBuilder()
  const reader = readParagraphs(RECORD_FIELDS, (paragraph) => builder.add(paragraph))
  try {
    const isPlain = !/\.[a-z]+$/.test(listedPath)
    const bytes = isPlain
      ? readDescriptor(file.fd, 0)
      : decompress(await openArchiveInput(file.fd), context.which).bytes
    let left = decodedBytes ?? MOST_DECODED_BYTES
    for await (const chunk of bytes) {
      context.signal?.throwIfAborted()
      left -= chunk.length
      if (left < 0)
        throw malformedIndexError({...place, reason: 'it is larger than its limit when decompressed'})
      reader.push(chunk)
    }
    reader.end()
  } catch (error) {
    if (error instanceof CorruptArchiveError || error instanceof UnknownArchiveError) {
      throw malformedIndexError({...place, reason: 'it cannot be decompressed'}, {cause: error})
    }
    if (error instanceof LongLineError)
      throw malformedIndexError({...place, reason: error.message}, {cause: error})
    throw error
  }
  return builder.finish()
}

/** An index as listed in a Release, in the compression that is fetched. */
export type ListedIndex = IndexFile & {
  /** Path below the folder of the suite. */
  readonly path: string
  /** Path by digest, which an update of the mirror does not remove. */
  readonly byHashPath: string | undefined
  /** Decompressed size, if the Release gives it. */
  readonly decodedBytes: number | undefined
}

/**
 * Selects the indices of some components for an architecture.
 *
 * @param hasXz - The host has xz(1): without it, gzip is several times faster.
 * @throws {NotInSuiteError}
 * @throws {MissingIndexError}
 */
export function chooseIndices(
  {place, file}: Pick<OpenedRelease, 'place' | 'file'>,
  {
    architecture,
    components,
    hasXz,
  }: {architecture: DebArchitecture; components: readonly string[]; hasXz: boolean},
): ListedIndex[] {
  if (!file.architectures.includes(architecture)) {
    throw notInSuiteError({...place, what: `packages for ${architecture}`, offered: file.architectures})
  }
  return components.flatMap((component) => {
    if (!file.components.includes(component)) {
      throw notInSuiteError({...place, what: `component ${component}`, offered: file.components})
    }
    const path = `${component}/binary-${architecture}/Packages`
    const own = listedForm(file, path, hasXz)
    if (own === undefined) throw missingIndexError({...place, file: path})
    const all = file.repeatsAll ? undefined : listedForm(file, `${component}/binary-all/Packages`, hasXz)
    return all === undefined ? [own] : [own, all]
  })
}

function listedForm(
  {indices, hasByHash}: OpenedRelease['file'],
  path: string,
  hasXz: boolean,
): ListedIndex | undefined {
  const suffixes = hasXz ? ['.xz', '.gz', ''] : ['.gz', '.xz', '']
  for (const suffix of suffixes) {
    const index = indices.get(`${path}${suffix}`)
    if (index === undefined) continue
    const folder = path.slice(0, path.lastIndexOf('/'))
    return {
      ...index,
      path: `${path}${suffix}`,
      byHashPath: hasByHash ? `${folder}/by-hash/SHA256/${index.sha256}` : undefined,
      decodedBytes: indices.get(path)?.sizeBytes,
    }
  }
  return undefined
}

/** Returns the path of a cached, parsed index, named by the digest in the signed Release. */
export function keptIndexPath(
  {cache}: Pick<Paths, 'cache'>,
  place: SuitePlace,
  {path, sha256}: Pick<ListedIndex, 'path' | 'sha256'>,
): string {
  const name = path.replace(/\/Packages.*$/, '').replaceAll('/', '_')
  return join(cache, 'archive', 'indices', `${keyOf(place)}_${name}.${sha256}`)
}

/** Reads a cached index. @returns undefined if it is missing or unusable. */
export async function readKeptIndex(path: string): Promise<PackageIndex | undefined> {
  try {
    return openPackageIndex(await readFile(path))
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

/** Caches an index, and removes older versions; if that fails, it is fetched again. */
export async function keepIndex(path: string, file: Buffer): Promise<void> {
  const folder = dirname(path)
  // Not synced: the file carries its own digest.
  await writeCacheFile(path, file)
  try {
    const family = path.slice(folder.length + 1, path.lastIndexOf('.') + 1)
    for (const name of await readdir(folder)) {
      const isOlder = name.startsWith(family) && join(folder, name) !== path && !name.includes('.partial-')
      if (isOlder) await rm(join(folder, name), {force: true})
    }
  } catch (error) {
    ignoreFailure(error)
  }
}

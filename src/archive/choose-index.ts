import type {DebArchitecture} from '../host/architecture.js'
import {missingIndexError, notInSuiteError} from './errors.js'
import type {OpenedRelease} from './open-release.js'
import type {IndexFile} from './release-file.js'

/** An index of a suite as its Release lists it, in the form that is fetched. */
export type ListedIndex = IndexFile & {
  /** Below the suite's folder. */
  readonly path: string
  /** Where else it lies, named by its digest, so that an update of the mirror does not take it away. */
  readonly byHashPath: string | undefined
  /** Of what it decompresses to, where the Release tells. */
  readonly decodedBytes: number | undefined
}

/**
 * The indices that hold the packages of some components for an architecture.
 *
 * @param hasXz - The host has the program: without it, gzip is several times faster.
 * @throws {NotInSuiteError} @throws {MissingIndexError}
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

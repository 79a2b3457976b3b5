import {readdir, readFile, rm} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {ignoreFailure, isErrno} from '../host/errno.js'
import type {Paths} from '../host/paths.js'
import {writeCacheFile} from '../host/remembered.js'
import type {ListedIndex} from './choose-index.js'
import type {SuitePlace} from './errors.js'
import {openPackageIndex, type PackageIndex} from './package-index.js'
import {keyOf} from './place.js'

/** The cache's copy of an index as it was read, named by the digest that a signed Release gives for it. */
export function keptIndexPath(
  {cache}: Pick<Paths, 'cache'>,
  place: SuitePlace,
  {path, sha256}: Pick<ListedIndex, 'path' | 'sha256'>,
): string {
  const name = path.replace(/\/Packages.*$/, '').replaceAll('/', '_')
  return join(cache, 'archive', 'indices', `${keyOf(place)}_${name}.${sha256}`)
}

/** @returns undefined where there is none, or none that can be used. */
export async function readKeptIndex(path: string): Promise<PackageIndex | undefined> {
  try {
    return openPackageIndex(await readFile(path))
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

/** Keeps an index in place of the older ones of its place; where that can't be done, it is fetched again. */
export async function keepIndex(path: string, file: Buffer): Promise<void> {
  const folder = dirname(path)
  // It carries its own digest.
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

import {lstat, opendir, unlink} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256} from '../host/digest.js'
import {ignoring, isErrno} from '../host/errno.js'
import type {Paths} from '../host/paths.js'
import {sharedPackages} from '../host/shared-packages.js'

/** Many times what fits; more of them are somebody's mischief. */
const MOST_ENTRIES = 200_000

type Packages = {readonly count: number; readonly sizeBytes: number}

/** Shared packages that no environment has used since. The folder is hostile: no link in it is followed. */
export async function findOldPackages(paths: Pick<Paths, 'packages'>, olderThan: Date): Promise<Packages> {
  const old = await readOld(sharedPackages(paths), olderThan)
  return {count: old.length, sizeBytes: old.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)}
}

export async function removePackages(paths: Pick<Paths, 'packages'>, olderThan: Date): Promise<void> {
  for (const {path} of await readOld(sharedPackages(paths), olderThan)) await unlink(path).catch(ignoring())
}

async function readOld(folder: string, olderThan: Date): Promise<{path: string; sizeBytes: number}[]> {
  const old: {path: string; sizeBytes: number}[] = []
  try {
    let entries = 0
    for await (const {name} of await opendir(folder)) {
      if (++entries > MOST_ENTRIES) break
      if (!isSha256(name)) continue
      const path = join(folder, name)
      const status = await lstat(path).catch(ignoring())
      if (status?.isFile() === true && status.mtime < olderThan)
        old.push({path, sizeBytes: status.blocks * 512})
    }
  } catch (error) {
    // No folder yet, or one that a guest has closed to us.
    if (!isErrno(error)) throw error
  }
  return old
}

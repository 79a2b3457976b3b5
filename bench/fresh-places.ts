import {chown, mkdir, rm, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {removeEntries} from '../src/rootfs/remove.js'
import {type Bench, makeFolder, runAsCaller} from './invocation.js'
import {fileSystemOf} from './machine.js'

/** Room for a few trees of a minimal rootfs; the file has holes. */
const FILE_SYSTEM_BYTES = 4 * 2 ** 30

/** Where trees are written, one place after another, each as if nothing had ever been written there. */
export type FreshPlaces = {
  readonly description: string
  /** Makes the place, empty, and lets what was written before reach the disk. */
  open(): Promise<string>
  /** Removes the place; what is still in it must be removable by this user. */
  close(): Promise<void>
}

/** New folders on the file system of the work folder: what an ordinary user can have. */
export function freshFolders(bench: Bench): FreshPlaces {
  const place = join(bench.folder, 'place')
  return {
    description: `a fresh folder each run, on ${fileSystemOf(bench.folder)}; not a fresh file system`,
    async open() {
      await makeFolder(place, bench)
      // Else the last run's writes would be paid for by this one.
      await runAsCaller(['sync', '--file-system', bench.folder], bench)
      return place
    },
    async close() {
      const {failures} = removeEntries(place)
      if (failures.length > 0) throw new Error(`${place} could not be removed`)
    },
  }
}

/** A new ext4 in a file for each run; needs root and loop devices. @see losetup(8) */
export async function freshFileSystems(bench: Bench): Promise<FreshPlaces> {
  const [image, place] = [join(bench.folder, 'ext4.img'), join(bench.folder, 'place')]
  const close = async () => {
    await runAsCaller(['umount', place], bench)
    await rm(image)
  }
  const open = async () => {
    await writeFile(image, '')
    await truncate(image, FILE_SYSTEM_BYTES)
    await mkdir(place, {recursive: true})
    // All of it now, so that the kernel does not go on with the inode tables while we measure.
    const eager = 'lazy_itable_init=0,lazy_journal_init=0'
    await runAsCaller(['mkfs.ext4', '-q', '-F', '-E', eager, image], bench)
    await runAsCaller(['mount', '-o', 'loop', image, place], bench)
    if (bench.user !== undefined) await chown(place, bench.user.uid, bench.user.gid)
    await runAsCaller(['sync', '--file-system', bench.folder], bench)
    return place
  }
  await open()
  await close()
  return {description: 'a fresh ext4 on a loop device each run', open, close}
}

import {chown, mkdir, rm, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {removeEntries} from '../src/rootfs/remove.js'
import {type Bench, makeFolder, runAsCaller} from './invocation.js'
import {fileSystemOf} from './machine.js'

/** Space for a few trees of a minimal rootfs; the file has holes. */
const FILE_SYSTEM_BYTES = 4 * 2 ** 30

/** Provides folders for trees, one after another, each on a disk without pending writes. */
export type FreshPlaces = {
  readonly description: string
  /** Makes an empty folder, after flushing earlier writes to the disk. */
  open(): Promise<string>
  /** Removes the folder; this user must be able to remove its contents. */
  close(): Promise<void>
}

/** New folders on the file system of the work folder, for an ordinary user. */
export function freshFolders(bench: Bench): FreshPlaces {
  const place = join(bench.folder, 'place')
  return {
    description: `a fresh folder each run, on ${fileSystemOf(bench.folder)}; not a fresh file system`,
    async open() {
      await makeFolder(place, bench)
      // Otherwise this run would pay for the writes of the last one.
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
    // Completely, so that the kernel does not write inode tables during the measurement.
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

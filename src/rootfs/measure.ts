import {lstatSync} from 'node:fs'
import {errnoOf} from '../errors.js'
import {type FolderHandle, openFolder} from './tree/paths.js'

export type Usage = {
  /** Allocated on disk, not apparent; a file with several hard links counts once. */
  readonly sizeBytes: number
  /** Entries, including the tree's own folder. */
  readonly entries: number
  /** Folders that could not be read, so that the size is a lower bound. */
  readonly unreadable: number
}

/** Unit of st_blocks, for every file system. @see stat(2) */
const BLOCK_BYTES = 512
/** Each level holds a descriptor open. No real tree is this deep; deeper folders count as unreadable. */
const MOST_LEVELS = 512

type Tally = {blocks: number; entries: number; unreadable: number; readonly linked: Set<string>}

/**
 * Measures the disk usage of a tree, which is 0 for a missing tree. Follows no link.
 *
 * @param linked - Files with several hard links that were counted in other trees, and are not counted again; this tree's are added.
 */
export function measureTree(path: string, linked = new Set<string>()): Usage {
  const tally: Tally = {blocks: 0, entries: 0, unreadable: 0, linked}
  measureFolder(tally, path, 0)
  return {sizeBytes: tally.blocks * BLOCK_BYTES, entries: tally.entries, unreadable: tally.unreadable}
}

function measureFolder(tally: Tally, place: Buffer | string, level: number): void {
  const folder = tolerant(tally, () => openFolder(place))
  if (folder === undefined) return
  try {
    count(tally, folder.status)
    if (level > MOST_LEVELS) tally.unreadable++
    else measureEntries(tally, folder, level)
  } finally {
    folder.close()
  }
}

function measureEntries(tally: Tally, folder: FolderHandle, level: number): void {
  for (const entry of tolerant(tally, () => folder.list()) ?? []) {
    const place = folder.entry(entry.name)
    if (entry.isDirectory()) {
      measureFolder(tally, place, level + 1)
      continue
    }
    const status = tolerant(tally, () => lstatSync(place))
    if (status !== undefined) count(tally, status)
  }
}

function count(
  tally: Tally,
  status: {blocks: number; nlink: number; dev: number; ino: number; isDirectory(): boolean},
) {
  tally.entries++
  if (status.nlink > 1 && !status.isDirectory()) {
    const inode = `${status.dev}:${status.ino}`
    if (tally.linked.has(inode)) return
    tally.linked.add(inode)
  }
  tally.blocks += status.blocks
}

/** Ignores entries that were removed meanwhile; counts entries that can't be read. */
function tolerant<T>(tally: Tally, step: () => T): T | undefined {
  try {
    return step()
  } catch (error) {
    const code = errnoOf(error)
    if (code === undefined) throw error
    if (code !== 'ENOENT') tally.unreadable++
    return undefined
  }
}

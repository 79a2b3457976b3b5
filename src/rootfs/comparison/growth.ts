import type {Change} from './compare-stacks.js'
import type {Entry} from './entry.js'

/**
 * Returns a function that computes the growth by each change; a file with several names counts under the
 * first.
 */
export function openGrowth(): (change: Pick<Change, 'before' | 'after'>) => number {
  const [old, now] = [sizes(), sizes()]
  return ({before, after}) => now(after) - old(before)
}

function sizes(): (entry: Entry | undefined) => number {
  const linked = new Set<string>()
  return (entry) => {
    if (entry?.inode === undefined) return entry?.sizeBytes ?? 0
    if (linked.has(entry.inode)) return 0
    linked.add(entry.inode)
    return entry.sizeBytes
  }
}

import type {TreeView} from '../fixes/tree-view.js'
import type {LedgerEntry} from '../ledger/entry.js'
import {MOST_ID} from '../tar/header-encoder.js'
import type {Member} from '../tar/member.js'

/** Device nodes that a tree could not have, as members of an archive. */
export type LostDevices = {
  /** Returns those of a folder, unless something else has their place. */
  in(folder: string, modified: string): Extract<Member, {kind: 'device'}>[]
}

/** @param entries - Of the tree's journal; the numbers in it come from an archive. */
export function openLostDevices(entries: Iterable<LedgerEntry>, tree: TreeView): LostDevices {
  const byFolder = new Map<string, LedgerEntry[]>()
  for (const entry of entries) {
    if (entry.device === undefined || !areNumbers(entry)) continue
    const folder = entry.path.split('/').slice(0, -1).join('/')
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), entry])
  }
  return {
    in: (folder, modified) =>
      (byFolder.get(folder) ?? [])
        .filter(({path}) => tree.kindOf(path) === 'nothing')
        .flatMap(({path, mode, uid, gid, device}) =>
          device === undefined ? [] : [{kind: 'device', name: `./${path}`, mode, uid, gid, modified, device}],
        ),
  }
}

/** Returns whether a header can hold the numbers: larger ones are not valid. */
function areNumbers({uid, gid, device}: LedgerEntry): boolean {
  return [uid, gid, device?.major, device?.minor].every(
    (number) => number !== undefined && Number.isInteger(number) && number >= 0 && number <= MOST_ID,
  )
}

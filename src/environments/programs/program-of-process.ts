import {parentOf} from '../../host/machine/proc.js'
import type {GuestProcess} from '../../sandbox/processes.js'
import type {Program} from './program.js'

/** Deeper than any process that is not lost to its program: a shell's children of children. */
const MOST_ANCESTORS = 64

/** Finds the program whose keeper is an ancestor of a process. A process that lost its parent belongs to none. */
export function programOf(
  {hostPid}: Pick<GuestProcess, 'hostPid'>,
  programs: readonly Program[],
): string | null {
  const keepers = new Map(programs.flatMap(({keeperPid, name}) => (keeperPid ? [[keeperPid, name]] : [])))
  let pid: number | undefined = hostPid
  for (let steps = 0; keepers.size > 0 && pid !== undefined && steps < MOST_ANCESTORS; steps++) {
    const name = keepers.get(pid)
    if (name !== undefined) return name
    pid = parentOf(pid)
  }
  return null
}

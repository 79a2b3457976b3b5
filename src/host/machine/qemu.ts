import {join} from 'node:path'
import {fetchedTool, type Paths} from '../paths.js'
import {type DebArchitecture, isStaticProgram, qemuProgram} from './arch.js'

/** Name of the fetched tool with QEMU's programs. */
export const QEMU_TOOL = 'qemu'

/**
 * Returns QEMU's user-mode program for an architecture: the host's, else a fetched one; undefined if there is
 * none.
 *
 * A dynamically linked QEMU is skipped: it would look for its libraries in the guest.
 */
export function findQemu(
  {which, paths}: {which: (name: string) => string | undefined; paths: Pick<Paths, 'data'>},
  architecture: DebArchitecture,
): string | undefined {
  const name = qemuProgram(architecture)
  const fetched = fetchedTool(paths, QEMU_TOOL)
  const candidates = [
    ...[which(`${name}-static`), which(name)],
    fetched === undefined ? undefined : join(fetched, name),
  ]
  return candidates.find((path): path is string => path !== undefined && isStaticProgram(path))
}

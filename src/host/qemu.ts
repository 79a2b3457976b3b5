import {join} from 'node:path'
import {type DebArchitecture, isStaticProgram, qemuProgram} from './arch.js'
import {fetchedTool, type Paths} from './paths.js'

/** By which QEMU's programs are fetched. */
export const QEMU_TOOL = 'qemu'

/**
 * QEMU for single programs of an architecture: the host's, else the one that was fetched; undefined where there is none.
 *
 * One that loads libraries is passed over: it would look for them in the guest.
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

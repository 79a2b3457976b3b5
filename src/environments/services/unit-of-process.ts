import {closeSync, openSync, readlinkSync, readSync} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import {type TreeService, unitName} from '../../rootfs/tree-services.js'
import type {Inspection} from '../../sandbox/inspection.js'
import type {GuestProcess} from '../../sandbox/processes.js'

/** The variable that names the unit in the processes that templates/guest/service.sh starts. */
export const UNIT_VARIABLE = 'ENVS_UNIT'

/**
 * Returns the unit whose script started a process, by a variable that its children inherit; undefined for other processes, and
 * where a program clears its variables. The guest's word.
 */
export function startedUnit({hostPid}: Pick<GuestProcess, 'hostPid'>, facts: Inspection): string | undefined {
  const found = facts.get(hostPid)?.variable
  return found === undefined ? undefined : unitName(found)
}

/**
 * Returns the unit whose file starts the program of a process, or the script that an interpreter runs; else the unit of whose
 * instances it works in the folder of one, such as a cluster of PostgreSQL that pg_ctlcluster(1) started.
 */
export function unitOfProgram(
  {hostPid, command}: Pick<GuestProcess, 'hostPid' | 'command'>,
  services: readonly TreeService[],
): string | undefined {
  const executed = unlessErrno(() => readlinkSync(`/proc/${hostPid}/exe`))
  const words = command.split(' ')
  const programs = new Set([executed, ...words.slice(0, 2)])
  const started = services.find(({program}) => program !== undefined && programs.has(program))
  return (started ?? services.find((service) => isOfInstance(words, service)))?.unit
}

/** A program of the unit's own, `/usr/lib/postgresql/17/bin/postgres`, that was told the folder of an instance. */
function isOfInstance([program = '', ...words]: readonly string[], service: TreeService): boolean {
  const {unit, instanceFolders} = service
  return (
    program.split('/').includes(unit.replace(/\.service$/, '')) &&
    instanceFolders.some((folder) => words.some((word) => word.startsWith(folder) && word !== folder))
  )
}

/** Returns the paths of the control groups of a process, of all hierarchies. @see cgroups(7), /proc/PID/cgroup */
export function controlGroupsOf(hostPid: number): string[] {
  const text = readStart(`/proc/${hostPid}/cgroup`) ?? ''
  return text.split('\n').flatMap((line) => /^\d+:[^:]*:(?<path>.+)$/.exec(line)?.groups?.['path'] ?? [])
}

/** Many times any such file. */
const MOST_BYTES = 64 * 1024

function readStart(path: string): string | undefined {
  const fd = unlessErrno(() => openSync(path, 'r'))
  if (fd === undefined) return undefined
  try {
    const bytes = Buffer.alloc(MOST_BYTES)
    const length = unlessErrno(() => readSync(fd, bytes, 0, bytes.length, 0)) ?? 0
    return bytes.toString('latin1', 0, length)
  } finally {
    closeSync(fd)
  }
}

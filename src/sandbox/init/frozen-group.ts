import {readFileSync, writeFileSync} from 'node:fs'
import {basename, join} from 'node:path'
import {unlessErrno} from '../../host/errno.js'
import {takeLock} from '../../host/locks.js'
import {type Anchor, anchorFiles, readLiveAnchor} from '../anchor-state.js'

/** Returns whether these processes are in the group that {@link Anchor} names; one that has ended is nowhere. */
export function isEachIn({pid, group = ''}: Anchor, members: readonly {readonly pid: number}[]): boolean {
  // The guest can move its processes below its own group alone.
  const name = `/${basename(group)}/`
  const own = groupOf(pid) ?? ''
  const at = own.indexOf(name)
  if (at === -1) return false
  const prefix = own.slice(0, at + name.length)
  return members.every((member) => groupOf(member.pid)?.startsWith(prefix) ?? true)
}

/** @see cgroups(7): the line of the unified hierarchy begins with "0::". */
function groupOf(pid: number): string | undefined {
  const text = unlessErrno(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8'), 'ENOENT', 'ESRCH')
  return text === undefined ? undefined : /^0::(.*)$/m.exec(text)?.[1]
}

/** Returns whether no process of a group runs. @see https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup.events */
export function isGroupFrozen(group: string): boolean {
  return /^frozen 1$/m.test(unlessErrno(() => readFileSync(join(group, 'cgroup.events'), 'utf8')) ?? '')
}

/**
 * Thaws an environment that a killed command left frozen. Such a command holds the gate of the sessions exclusively (freeze.ts) as long
 * as it lives; templates/host/session.pl does the same.
 */
export async function thawLeftover(runFolder: string): Promise<void> {
  const group = readLiveAnchor(runFolder)?.group
  if (group === undefined || !isGroupFrozen(group)) return
  const gate = await takeLock(anchorFiles(runFolder).hold, {mode: 'exclusive', waitMs: 0})
  if (gate === undefined) return
  unlessErrno(() => writeFileSync(join(group, 'cgroup.freeze'), '0'), 'ENOENT')
  gate.release()
}

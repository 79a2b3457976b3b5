import {capabilityNames} from '../ledger/capabilities.js'
import type {Entry} from './entries.js'
import type {Change} from './stacks.js'

/** A service that init would start at boot, or on demand, at only one of the points. */
export type ServiceChange = {
  /** A unit with its suffix, or the name of an init script. */
  readonly name: string
  readonly init: 'systemd' | 'sysv'
  readonly change: 'added' | 'removed'
  /** Units that start it: targets and similar ones, or `runlevel 2`; sorted. */
  readonly startedBy: readonly string[]
}

/** @see systemd.unit(5), "[Install] section options" */
const UNIT_LINK = /^etc\/systemd\/system\/(?<by>[^/]+)\.(?:wants|requires)\/(?<name>[^/]+)$/
/** @see insserv(8), update-rc.d(8) */
const START_LINK = /^etc\/rc(?<level>[2-5S])\.d\/S[0-9]{2}(?<name>.+)$/

type Started = Pick<ServiceChange, 'name' | 'init'> & {readonly by: string}

/** Compares links that start services; a link that moved within its runlevel is no change. */
export function compareServices(
  changes: Iterable<Pick<Change, 'path' | 'before' | 'after'>>,
): ServiceChange[] {
  const balance = new Map<string, Started & {count: number}>()
  for (const {path, before, after} of changes) {
    const started = startedBy(path)
    const count = Number(after !== undefined) - Number(before !== undefined)
    if (started === undefined || count === 0) continue
    const key = JSON.stringify(started)
    balance.set(key, {...started, count: (balance.get(key)?.count ?? 0) + count})
  }
  const services = new Map<string, ServiceChange & {readonly startedBy: string[]}>()
  for (const {name, init, by, count} of balance.values()) {
    if (count === 0) continue
    const change = count > 0 ? 'added' : 'removed'
    const key = JSON.stringify([name, init, change])
    const service = services.get(key)
    if (service === undefined) services.set(key, {name, init, change, startedBy: [by]})
    else service.startedBy.push(by)
  }
  for (const {startedBy} of services.values()) startedBy.sort()
  return [...services].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, service]) => service)
}

function startedBy(path: string): Started | undefined {
  const unit = UNIT_LINK.exec(path)?.groups
  if (unit !== undefined) return {name: unit['name'] ?? '', init: 'systemd', by: unit['by'] ?? ''}
  const script = START_LINK.exec(path)?.groups
  if (script === undefined) return undefined
  return {name: script['name'] ?? '', init: 'sysv', by: `runlevel ${script['level']}`}
}

/** A file that gives its caller the rights of another user or group, or capabilities. */
export type PrivilegedFile = {
  /** Byte string (latin1) relative to the root. */
  readonly path: string
  readonly change: 'added' | 'removed' | 'changed'
  /** Values at the later point; at the former one if the file gives no rights any more. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly capabilities: readonly string[]
}

/** S_ISUID, S_ISGID. @see inode(7) */
const SET_ID = 0o6000

/** Returns the rights that a file gives only at one point; undefined if there are none. */
export function comparePrivileges({path, before, after}: Change): PrivilegedFile | undefined {
  const [old, now] = [privilegesOf(before), privilegesOf(after)]
  if (now !== undefined)
    return old !== undefined && isSame(old, now)
      ? undefined
      : {path, change: old === undefined ? 'added' : 'changed', ...now}
  return old === undefined ? undefined : {path, change: 'removed', ...old}
}

type Privileges = Omit<PrivilegedFile, 'path' | 'change'>

function privilegesOf(entry: Entry | undefined): Privileges | undefined {
  if (entry?.kind !== 'file') return undefined
  const {mode, uid, gid, capability} = entry
  const capabilities =
    capability === undefined ? [] : capabilityNames(Buffer.from(capability, 'hex').toString('base64'))
  return (mode & SET_ID) === 0 && capabilities.length === 0 ? undefined : {mode, uid, gid, capabilities}
}

function isSame(a: Privileges, b: Privileges): boolean {
  return (
    (a.mode & SET_ID) === (b.mode & SET_ID) &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.capabilities.join() === b.capabilities.join()
  )
}

import {capabilityNames} from '../ledger/capability-names.js'
import type {Change} from './compare-stacks.js'
import type {Entry} from './entry.js'

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

import type {DebArchitecture} from '../../host/architecture.js'
import {runBlocking} from '../../host/process.js'
import {findPerl, scriptWords} from '../../host/script.js'
import {systemCalls} from '../../host/system-calls.js'
import type {OwnerRule} from './owners.js'

/** Sets `security.capability` of an open file; returns false if that is impossible. */
export type CapabilitySetter = (fd: number, value: Buffer) => boolean

/** Each takes one start of a program; a whole desktop has a dozen. */
const MOST_FILES = 1000

/**
 * Size of a value by its revision, in the top byte of its first word. @see linux/capability.h:
 * vfs_ns_cap_data
 */
const LENGTHS: Readonly<Record<number, number>> = {2: 20, 3: 24}

type HostTools = {
  readonly which: (program: string) => string | undefined
  readonly architecture: DebArchitecture
}

/**
 * Sets file capabilities through a program that inherits the open file: Node has no call for it.
 *
 * Only root of a user namespace may do so: for any other caller, the program runs in a namespace that maps
 * only the caller. The kernel stores the id of that root, and the value is valid in every environment of the
 * same user.
 *
 * @see capabilities(7), "Namespaced file capabilities"
 */
export function openCapabilitySetter(rule: OwnerRule, tools: HostTools): CapabilitySetter {
  let left = MOST_FILES
  let command: readonly string[] | undefined
  return (fd, value) => {
    if (left === 0 || !isCapability(value)) return false
    left--
    command ??= commandFor(rule, tools)
    return command.length > 0 && runBlocking([...command, value.toString('hex')], {fd}) === 0
  }
}

/** Returns whether the kernel would accept the value; checks limits first. */
export function isCapability(value: Buffer): boolean {
  const revision = value[3]
  return revision !== undefined && LENGTHS[revision] === value.length
}

/** Returns an empty list if the host has no program for it. */
function commandFor(rule: OwnerRule, {which, architecture}: HostTools): readonly string[] {
  const perl = findPerl({which})
  if (perl === undefined) return []
  const setter = [...scriptWords(perl, 'set-capability'), String(systemCalls(architecture).fsetxattr)]
  if (rule === 'keep') return setter
  const unshare = which('unshare')
  return unshare === undefined ? [] : [unshare, '--user', '--map-root-user', '--', ...setter]
}

import type {DebArchitecture} from '../../host/architecture.js'
import {runBlocking} from '../../host/process.js'
import {findPerl, scriptWords} from '../../host/script.js'
import {systemCalls} from '../../host/system-calls.js'
import type {OwnerRule} from './owners.js'

/** Sets `security.capability` of an open file; false where that can't be done. */
export type CapabilitySetter = (fd: number, value: Buffer) => boolean

/** Each takes a program to set; a whole desktop has a dozen. */
const MOST_FILES = 1000

/** Bytes of a value by its revision, in the top byte of its first word. @see linux/capability.h: vfs_ns_cap_data */
const LENGTHS: Readonly<Record<number, number>> = {2: 20, 3: 24}

type HostTools = {
  readonly which: (program: string) => string | undefined
  readonly architecture: DebArchitecture
}

/**
 * Gives files their capabilities, through a program that inherits the open file: Node has no call for it.
 *
 * Only root of a user namespace may: where the caller is not, the program runs in one that maps the caller alone. The
 * kernel notes whose root that was, and the value holds in every environment of the same user.
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

/** Whether the kernel would take it for one, bounds first. */
export function isCapability(value: Buffer): boolean {
  const revision = value[3]
  return revision !== undefined && LENGTHS[revision] === value.length
}

/** Empty where the host has no program for it. */
function commandFor(rule: OwnerRule, {which, architecture}: HostTools): readonly string[] {
  const perl = findPerl({which})
  if (perl === undefined) return []
  const setter = [...scriptWords(perl, 'set-capability'), String(systemCalls(architecture).fsetxattr)]
  if (rule === 'keep') return setter
  const unshare = which('unshare')
  return unshare === undefined ? [] : [unshare, '--user', '--map-root-user', '--', ...setter]
}

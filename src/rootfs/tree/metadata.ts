import {chmodSync, lchownSync, mkdtempSync, renameSync, rmSync, utimesSync} from 'node:fs'
import {join} from 'node:path'
import {archiveToolMissingError} from '../../compression/errors.js'
import {rootPrefixes} from '../../host/id-mapping.js'
import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {capture, findPerl, runBlocking, scriptWords} from '../../host/process.js'
import type {Member, Timestamp} from '../tar/member.js'
import type {OwnerRule, Owners} from './owners.js'
import type {RootedPaths} from './paths.js'

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
  let commands: readonly (readonly string[])[] | undefined
  return (fd, value) => {
    if (left === 0 || !isCapability(value)) return false
    left--
    commands ??= commandsFor(rule, tools)
    const working = commands.find((command) => runBlocking([...command, value.toString('hex')], {fd}) === 0)
    if (working !== undefined) commands = [working]
    return working !== undefined
  }
}

/** Returns whether the kernel would accept the value; checks limits first. */
export function isCapability(value: Buffer): boolean {
  const revision = value[3]
  return revision !== undefined && LENGTHS[revision] === value.length
}

/** Returns the commands to try, in this order. */
function commandsFor(rule: OwnerRule, tools: HostTools): readonly (readonly string[])[] {
  const {which, architecture} = tools
  const perl = findPerl({which})
  if (perl === undefined) return []
  const setter = [...scriptWords(perl, 'files/set-capability'), String(systemCalls(architecture).fsetxattr)]
  if (rule === 'keep') return [setter]
  return rootPrefixes(tools).map((prefix) => [...prefix, ...setter])
}

/** Names for one call; argv holds at least 128 KiB. */
const BATCH = 500

/**
 * Makes FIFOs with mkfifo(1), because Node has no call for it: first under plain names, then renamed, because
 * arguments are text and names are bytes.
 *
 * @throws {@link archiveToolMissingError}
 * @throws {NodeJS.ErrnoException}
 */
export async function makeFifos(
  root: string,
  fifos: ReadonlyMap<string, Member>,
  {
    paths,
    owners,
    which,
  }: {paths: RootedPaths; owners: Owners; which: (program: string) => string | undefined},
): Promise<void> {
  const mkfifo = which('mkfifo')
  if (mkfifo === undefined)
    throw archiveToolMissingError({
      program: 'mkfifo',
      hostPackage: 'coreutils',
      purpose: 'to make the FIFOs of this archive',
    })
  const nursery = mkdtempSync(join(root, '.envs-fifos-'))
  try {
    const todo = [...fifos]
    for (let at = 0; at < todo.length; at += BATCH) {
      const batch = todo.slice(at, at + BATCH)
      const names = batch.map((_, index) => join(nursery, String(at + index)))
      const {status} = await capture([mkfifo, '--', ...names])
      if (status !== 0) throw new Error(`mkfifo ended with status ${status} in ${nursery}`)
      for (const [index, [path, member]] of batch.entries()) {
        const name = names[index]
        if (name !== undefined) settle(name, path, member)
      }
    }
  } finally {
    rmSync(nursery, {recursive: true, force: true})
  }

  function settle(name: string, path: string, member: Member): void {
    const owner = owners.ownerFor(member)
    if (owner !== undefined) lchownSync(name, owner.uid, owner.gid)
    chmodSync(name, member.mode)
    utimesSync(name, modificationTime(member.modified), modificationTime(member.modified))
    // Resolved again: a later member may have replaced a folder by a link.
    renameSync(name, paths.absolute(paths.resolvePlace(path)))
  }
}

/**
 * Returns the time for utimes of node:fs, exact to the microsecond; the kernel's is exact to the nanosecond.
 * Seconds pass through a double, and libuv truncates to microseconds.
 */
export function modificationTime(modified: Timestamp): number | string {
  // node:fs replaces a negative number by the current time, but not a text.
  if (modified.startsWith('-')) return modified
  const [seconds, fraction = ''] = modified.split('.')
  const microseconds = Number(fraction.slice(0, 6).padEnd(6, '0'))
  // Half a microsecond more keeps the double, which is coarser than 0.1 µs, from being truncated to the one
  // before.
  return microseconds === 0 ? Number(seconds) : Number(seconds) + (microseconds + 0.5) / 1e6
}

/** Metadata that a folder gets after its entries. */
export type FolderMetadata = {
  readonly mode: number
  /** Undefined for a folder that is not itself a member of the archive. */
  readonly named?: {readonly uid: number; readonly gid: number; readonly modified: Timestamp}
}

/** A folder that exists only as the parent of members. */
export const UNNAMED_FOLDER: FolderMetadata = {mode: 0o755}

/**
 * Sets owner, mode and time of folders, children before parents: a later entry would change the time, and a
 * closed parent would block its children.
 */
export function applyFolderMetadata(
  folders: ReadonlyMap<string, FolderMetadata>,
  {absolute, owners}: {absolute: (path: string) => Buffer; owners: Owners},
): void {
  const deepestFirst = [...folders].sort(([a], [b]) => b.length - a.length)
  for (const [path, {mode, named}] of deepestFirst) {
    const place = absolute(path)
    const owner = owners.ownerFor(named ?? {uid: 0, gid: 0})
    if (owner !== undefined) lchownSync(place, owner.uid, owner.gid)
    chmodSync(place, mode)
    if (named !== undefined)
      utimesSync(place, modificationTime(named.modified), modificationTime(named.modified))
  }
}

import {lstatSync, readFileSync, readlinkSync, realpathSync, type Stats} from 'node:fs'
import {basename, dirname, isAbsolute, join} from 'node:path'
import {unlessErrno} from './errno.js'
import {unsafeStoreError} from './errors.js'
import type {Paths} from './paths.js'

export type Caller = {
  readonly uid: number
  /** Supplementary groups and the primary one. */
  readonly groups: readonly number[]
}

/** As many as the kernel follows. @see path_resolution(7) */
const MOST_LINKS = 40

/**
 * Refuses folders of the store that another user owns or can write to, or that another user's symlink leads to.
 *
 * A folder that is not there is judged by the nearest one above it. templates/host/join.pl has the same rules;
 * docs/decisions/0032-a-store-of-ones-own.md says why they are these.
 *
 * @throws {@link unsafeStoreError}
 */
export function checkOwnFolders(
  {data, cache, config}: Pick<Paths, 'data' | 'cache' | 'config'>,
  caller: Caller,
): void {
  for (const folder of [data, config, cache]) checkFolder(folder, caller, MOST_LINKS)
}

function checkFolder(path: string, caller: Caller, links: number): void {
  const status = statusOf(path)
  if (status?.isSymbolicLink()) {
    checkLink(path, status, caller, links)
    checkFolder(targetOf(path), caller, links - 1)
    return
  }
  if (status !== undefined) checkOwn(path, status, caller)
  checkHolder(dirname(path), caller, links)
}

function checkOwn(path: string, status: Stats, caller: Caller): void {
  // A file in the place of a folder is told by whatever wants to use it.
  if (!status.isDirectory()) return
  if (status.uid !== caller.uid) throw unsafeStoreError({reason: ofAnother(path, status)})
  if (isOpenToOthers(status))
    throw unsafeStoreError({reason: open(path, status)}, {suggestions: [`chmod go-w ${path}`]})
}

/** Who can write to the folder that holds it can put another one in its place. */
function checkHolder(path: string, caller: Caller, links: number): void {
  const status = statusOf(path)
  if (status === undefined) {
    if (dirname(path) !== path) checkHolder(dirname(path), caller, links)
    return
  }
  if (status.isSymbolicLink()) {
    checkLink(path, status, caller, links)
    checkHolder(targetOf(path), caller, links - 1)
    return
  }
  if (!status.isDirectory()) return
  if (status.uid !== caller.uid && !isRoots(status.uid))
    throw unsafeStoreError({reason: ofAnother(path, status)})
  if (!isOpenToOthers(status) || isSticky(status) || isOpenToOwnGroup(status, caller)) return
  throw unsafeStoreError(
    {reason: open(path, status)},
    {hints: status.uid === caller.uid ? [`chmod go-w ${path}`] : []},
  )
}

function checkLink(path: string, status: Stats, caller: Caller, links: number): void {
  if (status.uid !== caller.uid && !isRoots(status.uid))
    throw unsafeStoreError({reason: ofAnother(path, status)})
  if (links === 0) throw unsafeStoreError({reason: `too many symlinks lead to ${path}`})
  checkHolder(dirname(path), caller, links - 1)
}

/** With no `.` or `..` as its last name, so that the folder above it is the one that holds it. */
function targetOf(link: string): string {
  const text = readlinkSync(link)
  const target = isAbsolute(text) ? text : join(realpathSync(dirname(link)), text)
  return ['.', '..', ''].includes(basename(target)) ? realpathSync(target) : target
}

/** @returns undefined for what is not there, or can't be looked at: its user says so. */
function statusOf(path: string): Stats | undefined {
  return unlessErrno(() => lstatSync(path))
}

function isOpenToOthers({mode}: Stats): boolean {
  return (mode & 0o022) !== 0
}

/** As /tmp is: what is in it belongs to whoever made it. */
function isSticky({mode}: Stats): boolean {
  return (mode & 0o1000) !== 0
}

/** Home folders are often open to a group that is the user's alone, by its umask of 0002. */
function isOpenToOwnGroup({mode, gid}: Stats, {uid, groups}: Caller): boolean {
  return (mode & 0o002) === 0 && (uid === 0 ? gid === 0 : groups.includes(gid))
}

/** In a user namespace that does not map the host's root, its folders are shown as nobody's. @see user_namespaces(7) */
function isRoots(uid: number): boolean {
  return uid === 0 || (uid === OVERFLOW_UID && !isInitialNamespace())
}

const OVERFLOW_UID = 65534

function isInitialNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'))
}

function ofAnother(path: string, status: Stats): string {
  const what = status.isSymbolicLink() ? 'the symlink' : 'the folder'
  return `${what} ${path} belongs to another user (uid ${status.uid})`
}

function open(path: string, {mode}: Stats): string {
  return `other users can write to the folder ${path} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`
}

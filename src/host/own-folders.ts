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

/** Maximum number of symlinks that the kernel follows. @see path_resolution(7) */
const MOST_LINKS = 40

/**
 * Refuses store folders that another user owns or can write to, or that are reached by a symlink of another user.
 *
 * A missing folder is judged by its nearest existing parent. templates/host/join.pl has the same rules;
 * docs/decisions/0032-a-store-of-ones-own.md gives their reasons.
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
  checkParent(dirname(path), caller, links)
}

function checkOwn(path: string, status: Stats, caller: Caller): void {
  // The function that uses the path reports a file in place of a folder.
  if (!status.isDirectory()) return
  if (status.uid !== caller.uid) throw unsafeStoreError({reason: describeOwner(path, status)})
  if (isWritableByOthers(status))
    throw unsafeStoreError({reason: describeMode(path, status)}, {suggestions: [`chmod go-w ${path}`]})
}

/** Checks a parent folder: a user who can write to it can replace its entries. */
function checkParent(path: string, caller: Caller, links: number): void {
  const status = statusOf(path)
  if (status === undefined) {
    if (dirname(path) !== path) checkParent(dirname(path), caller, links)
    return
  }
  if (status.isSymbolicLink()) {
    checkLink(path, status, caller, links)
    checkParent(targetOf(path), caller, links - 1)
    return
  }
  if (!status.isDirectory()) return
  if (status.uid !== caller.uid && !isOwnedByRoot(status.uid))
    throw unsafeStoreError({reason: describeOwner(path, status)})
  if (!isWritableByOthers(status) || isSticky(status) || isWritableByOwnGroup(status, caller)) return
  throw unsafeStoreError(
    {reason: describeMode(path, status)},
    {hints: status.uid === caller.uid ? [`chmod go-w ${path}`] : []},
  )
}

function checkLink(path: string, status: Stats, caller: Caller, links: number): void {
  if (status.uid !== caller.uid && !isOwnedByRoot(status.uid))
    throw unsafeStoreError({reason: describeOwner(path, status)})
  if (links === 0) throw unsafeStoreError({reason: `too many symlinks lead to ${path}`})
  checkParent(dirname(path), caller, links - 1)
}

/** Characters that a profile of AppArmor and a shell both take as they are. */
const PLAIN_PATH = /^[\w/.+-]+$/

/**
 * Returns the path without symlinks of a program that only the host's root can change: root owns it, every symlink to it and
 * every folder above, and nobody else may write to them.
 *
 * @returns undefined for any other file, and in a user namespace: its root is not the host's.
 */
export function findRootsPath(path: string): string | undefined {
  if (!isInitialNamespace() || !isRoots(path, MOST_LINKS)) return undefined
  const program = realpathSync(path)
  return PLAIN_PATH.test(program) && isRoots(program, 0) ? program : undefined
}

function isRoots(path: string, links: number): boolean {
  const status = statusOf(path)
  if (status === undefined || status.uid !== 0) return false
  if (status.isSymbolicLink())
    return links > 0 && isRoots(dirname(path), links - 1) && isRoots(targetOf(path), links - 1)
  if (isWritableByOthers(status)) return false
  return dirname(path) === path || isRoots(dirname(path), links)
}

/** Returns the target of a symlink, without `.` or `..` as its last name, so that its dirname is its parent folder. */
function targetOf(link: string): string {
  const text = readlinkSync(link)
  const target = isAbsolute(text) ? text : join(realpathSync(dirname(link)), text)
  return ['.', '..', ''].includes(basename(target)) ? realpathSync(target) : target
}

/** @returns undefined if the path is missing or inaccessible; the function that uses the path reports it. */
function statusOf(path: string): Stats | undefined {
  return unlessErrno(() => lstatSync(path))
}

function isWritableByOthers({mode}: Stats): boolean {
  return (mode & 0o022) !== 0
}

/** Returns whether only owners can replace entries, as in /tmp. */
function isSticky({mode}: Stats): boolean {
  return (mode & 0o1000) !== 0
}

/**
 * Returns whether only a group of the user can write: with umask 0002, home folders are writable by a private
 * group.
 */
function isWritableByOwnGroup({mode, gid}: Stats, {uid, groups}: Caller): boolean {
  return (mode & 0o002) === 0 && (uid === 0 ? gid === 0 : groups.includes(gid))
}

/**
 * Returns whether root owns a path; in a user namespace without the host's root, its files belong to the overflow
 * uid.
 *
 * @see user_namespaces(7)
 */
function isOwnedByRoot(uid: number): boolean {
  return uid === 0 || (uid === OVERFLOW_UID && !isInitialNamespace())
}

const OVERFLOW_UID = 65534

function isInitialNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'))
}

function describeOwner(path: string, status: Stats): string {
  const what = status.isSymbolicLink() ? 'the symlink' : 'the folder'
  return `${what} ${path} belongs to another user (uid ${status.uid})`
}

function describeMode(path: string, {mode}: Stats): string {
  return `other users can write to the folder ${path} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`
}

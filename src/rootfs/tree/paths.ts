import {
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  type Stats,
} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import type {Limits} from '../limits.js'

/**
 * Paths of a hostile tree, resolved as in the guest: absolute link targets start at the root, and `..` stops
 * there. All paths are byte strings (latin1), relative to the root, without `.` and `..`.
 */
export type RootedPaths = {
  /** Returns the path for a system call, valid if its folder came from `resolveFolder`. */
  absolute(path: string): Buffer
  /**
   * Returns the real folder of a path, through links; `makeFolder` makes missing ones.
   *
   * @throws {PathRefusal} On a component that is not a folder, or more than 40 links.
   */
  resolveFolder(path: string): string
  /** Returns the real path: with its folder resolved, and its last component unchanged. */
  resolvePlace(path: string): string
  /** Records that the path is a real folder now. */
  remember(path: string): void
  /** To be called after an empty folder was removed. */
  forgetFolder(path: string): void
  /** To be called after a link was removed: invalidates paths that were resolved through it. */
  forgetLink(): void
}

/** MAXSYMLINKS, linux/namei.h. */
const MOST_LINKS = 40

export type RootedPathsOptions = {
  /**
   * Limit for the components walked so far, including those of each resolved path: a system call also takes
   * one step for each component.
   */
  readonly mostSteps?: () => number
}

/**
 * Opens the paths of the tree in `root`, which nobody else may change meanwhile.
 *
 * @param makeFolder - Makes a missing folder, given its path; or throws.
 */
export function openRootedPaths(
  root: string,
  makeFolder: (path: string) => void,
  {mostSteps = () => Number.POSITIVE_INFINITY}: RootedPathsOptions = {},
): RootedPaths {
  const prefix = `${Buffer.from(realpathSync(root)).toString('latin1')}/`
  /**
   * Real folders, with the number of components of each path. A real folder is removed only when it is empty.
   */
  const depths = new Map<string, number>([['', 0]])
  /** Folders by a path through links: invalid after the removal of any link or folder. */
  const aliases = new Map<string, string>()
  let steps = 0

  function absolute(path: string): Buffer {
    return Buffer.from(prefix + path, 'latin1')
  }

  function spend(path: string, count: number): void {
    steps += count
    if (steps > mostSteps())
      throw new PathRefusal(path, 'the folders and links on the way to the members are too many')
  }

  function resolveFolder(path: string): string {
    if (depths.has(path)) return path
    const known = aliases.get(path)
    if (known !== undefined) return known
    const real = walk(path)
    if (real !== path) aliases.set(path, real)
    return real
  }

  function walk(path: string): string {
    const todo = path.split('/').reverse()
    let current = ''
    let links = 0
    for (let component = todo.pop(); component !== undefined; component = todo.pop()) {
      if (component === '' || component === '.') continue
      if (component === '..') {
        current = current.slice(0, Math.max(0, current.lastIndexOf('/')))
        continue
      }
      const next = current === '' ? component : `${current}/${component}`
      const target = linkTarget(next, path)
      if (target === undefined) {
        current = next
        continue
      }
      links++
      if (links > MOST_LINKS) throw new PathRefusal(path, 'it leads through too many links')
      if (target.startsWith('/')) current = ''
      for (const part of target.split('/').reverse()) todo.push(part)
    }
    return current
  }

  /** Returns the target of a link; undefined for a folder, which exists afterwards. */
  function linkTarget(path: string, wanted: string): string | undefined {
    const depth = depths.get(path)
    if (depth !== undefined) {
      // The lookup of a path takes time in proportion to its components; its characters take far less than a
      // system call.
      spend(wanted, 1 + (depth >> 4))
      return undefined
    }
    spend(wanted, depthBelow(path))
    const status = lstatOrNothing(absolute(path))
    if (status?.isSymbolicLink()) return readlinkSync(absolute(path), 'latin1')
    if (status === undefined) makeFolder(path)
    else if (!status.isDirectory()) throw new PathRefusal(path, 'it is not a folder')
    remember(path)
    return undefined
  }

  /** Returns the number of path components of an entry in a known folder. */
  function depthBelow(path: string): number {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    return (depths.get(folder) ?? path.split('/').length) + 1
  }

  function remember(path: string): void {
    depths.set(path, depthBelow(path))
  }

  return {
    absolute,
    resolveFolder,
    resolvePlace(path) {
      const slash = path.lastIndexOf('/')
      if (slash === -1) {
        spend(path, 1)
        return path
      }
      const folder = resolveFolder(path.slice(0, slash))
      const place = folder === '' ? path.slice(slash + 1) : folder + path.slice(slash)
      spend(path, depthBelow(place))
      return place
    },
    remember,
    forgetFolder(path) {
      depths.delete(path)
      aliases.clear()
    },
    forgetLink() {
      aliases.clear()
    },
  }
}

/** Returns lstat(2), or undefined if there is no entry. */
export function lstatOrNothing(path: Buffer | string): Stats | undefined {
  return unlessErrno(() => lstatSync(path, {throwIfNoEntry: false}), 'ENOTDIR')
}

/** A path that can't be used inside a tree; the caller adds the user's name for it. */
export class PathRefusal extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path}: ${reason}`)
    this.name = 'PathRefusal'
  }
}

/**
 * Returns the path inside the root for a name in an archive: drops `./` and leading slashes, and refuses
 * `..`, which has no use in a rootfs.
 *
 * @param name - A byte string (latin1).
 * @returns Components joined by single slashes; empty for the root itself.
 * @throws {PathRefusal}
 */
export function memberPath(name: string, limits: Pick<Limits, 'pathBytes' | 'componentBytes'>): string {
  if (name.length > limits.pathBytes) throw new PathRefusal(name.slice(0, 80), 'its name is too long')
  if (name.includes('\0')) throw new PathRefusal(name, 'its name has a zero byte')
  const plain = plainPath(name)
  if (plain !== undefined && plain.length <= limits.componentBytes) return plain
  const components = name.split('/').filter((component) => component !== '' && component !== '.')
  for (const component of components) {
    if (component === '..') throw new PathRefusal(name, 'its name leads out of its folder')
    if (component.length > limits.componentBytes)
      throw new PathRefusal(name.slice(0, 80), 'a part of its name is too long')
  }
  return components.join('/')
}

/** Handles most names by one check: no component begins with a dot, and there are no double slashes. */
function plainPath(name: string): string | undefined {
  const start = name.startsWith('./') ? 2 : 0
  const end = name.endsWith('/') ? name.length - 1 : name.length
  if (start >= end || name.startsWith('/', start) || name.startsWith('.', start)) return undefined
  const path = name.slice(start, end)
  return path.includes('/.') || path.includes('//') || path.endsWith('/') ? undefined : path
}

/**
 * O_PATH, asm-generic/fcntl.h: Node has no name for it. It is the same on every processor of Debian and
 * Ubuntu.
 */
const O_PATH = 0o10000000
const {O_DIRECTORY, O_NOFOLLOW} = constants

/**
 * A folder held open, whose entries stay accessible if its path changes: openat(2) by way of /proc/self/fd.
 * Needs no permission on the folder itself.
 */
export type FolderHandle = {
  readonly status: Stats
  entry(name: Buffer): Buffer
  /** @throws {NodeJS.ErrnoException} EACCES if the folder may not be read. */
  list(): Dirent<Buffer>[]
  chmod(mode: number): void
  close(): void
}

/** Opens a folder, never through a link in its last component. @throws {NodeJS.ErrnoException} */
export function openFolder(path: Buffer | string): FolderHandle {
  return handleOf(openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW))
}

/** Opens a folder of the user, who may have replaced it by a link. @throws {NodeJS.ErrnoException} */
export function openTrustedFolder(path: string): FolderHandle {
  return handleOf(openSync(path, O_PATH | O_DIRECTORY))
}

function handleOf(fd: number): FolderHandle {
  const self = `/proc/self/fd/${fd}`
  return {
    status: fstatSync(fd),
    entry: (name) => Buffer.concat([Buffer.from(`${self}/`), name]),
    list: () => readdirSync(self, {encoding: 'buffer', withFileTypes: true}),
    chmod: (mode) => chmodSync(self, mode),
    close: () => closeSync(fd),
  }
}

import {lstatSync, readlinkSync, realpathSync, type Stats} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import {PathRefusal} from './path-refusal.js'

/**
 * Paths of a tree nobody trusts, resolved as the guest would see them: a link's absolute target starts at
 * the root, `..` stops there. All paths are byte strings (latin1), relative to the root, without `.` and `..`.
 */
export type RootedPaths = {
  /** The path for a system call, valid as long as its folder came from `resolveFolder`. */
  absolute(path: string): Buffer
  /**
   * The real folder a path leads to through any links; missing ones are made by `makeFolder`.
   *
   * @throws {PathRefusal} On a part that is no folder, or more than 40 links.
   */
  resolveFolder(path: string): string
  /** The real place of a path: its folder resolved, its last component left as it is. */
  resolvePlace(path: string): string
  /** Makes known that the path is a real folder now. */
  remember(path: string): void
  /** To be called when a folder was taken away; it was empty. */
  forgetFolder(path: string): void
  /** To be called when a link was taken away: what was resolved through it is void. */
  forgetLink(): void
}

/** MAXSYMLINKS, linux/namei.h. */
const MOST_LINKS = 40

export type RootedPathsOptions = {
  /**
   * Bound on the components that are walked until now, those of each place that is resolved included: in the kernel, too,
   * a system call costs as many steps as its path has components.
   */
  readonly mostSteps?: () => number
}

/**
 * Opens the paths of the tree in `root`, which must not be changed by anyone else meanwhile.
 *
 * @param makeFolder - Makes a missing folder, given its path; or throws.
 */
export function openRootedPaths(
  root: string,
  makeFolder: (path: string) => void,
  {mostSteps = () => Number.POSITIVE_INFINITY}: RootedPathsOptions = {},
): RootedPaths {
  const prefix = `${Buffer.from(realpathSync(root)).toString('latin1')}/`
  /** Real folders, and how many components each path has. A real folder goes only when nothing is in it. */
  const depths = new Map<string, number>([['', 0]])
  /** Folders by a path that leads through links: void when any link or folder goes. */
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

  /** The target of a link; undefined for a folder, which exists afterwards. */
  function linkTarget(path: string, wanted: string): string | undefined {
    const depth = depths.get(path)
    if (depth !== undefined) {
      // Looking a path up takes as long as the path is; its characters take far less than a system call.
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

  /** How many components the path of something in a known folder has. */
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

/** lstat(2), or undefined when there is nothing. */
export function lstatOrNothing(path: Buffer | string): Stats | undefined {
  return unlessErrno(() => lstatSync(path, {throwIfNoEntry: false}), 'ENOTDIR')
}

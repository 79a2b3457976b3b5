import {lstatSync, readlinkSync, realpathSync, type Stats} from 'node:fs'
import {errnoOf} from '../../errors.js'
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
  /** To be called when a folder or a link was taken away: what was resolved through it is void. */
  forget(): void
}

/** MAXSYMLINKS, linux/namei.h. */
const MOST_LINKS = 40

/**
 * Opens the paths of the tree in `root`, which must not be changed by anyone else meanwhile.
 *
 * @param makeFolder - Makes a missing folder, given its path; or throws.
 */
export function openRootedPaths(root: string, makeFolder: (path: string) => void): RootedPaths {
  const prefix = `${Buffer.from(realpathSync(root)).toString('latin1')}/`
  const resolved = new Map<string, string>([['', '']])

  function absolute(path: string): Buffer {
    return Buffer.from(prefix + path, 'latin1')
  }

  function resolveFolder(path: string): string {
    const known = resolved.get(path)
    if (known !== undefined) return known
    const real = walk(path)
    resolved.set(path, real)
    return real
  }

  function walk(path: string): string {
    const todo = path.split('/').reverse()
    let current: string[] = []
    let links = 0
    for (let component = todo.pop(); component !== undefined; component = todo.pop()) {
      if (component === '' || component === '.') continue
      if (component === '..') {
        current.pop()
        continue
      }
      const next = [...current, component].join('/')
      const target = resolved.get(next) === next ? undefined : linkTarget(next)
      if (target === undefined) {
        current.push(component)
        continue
      }
      links++
      if (links > MOST_LINKS) throw new PathRefusal(path, 'it leads through too many links')
      if (target.startsWith('/')) current = []
      todo.push(...target.split('/').reverse())
    }
    return current.join('/')
  }

  /** The target of a link; undefined for a folder, which exists afterwards. */
  function linkTarget(path: string): string | undefined {
    const status = lstatOrNothing(absolute(path))
    if (status?.isSymbolicLink()) return readlinkSync(absolute(path), 'latin1')
    if (status === undefined) makeFolder(path)
    else if (!status.isDirectory()) throw new PathRefusal(path, 'it is not a folder')
    resolved.set(path, path)
    return undefined
  }

  return {
    absolute,
    resolveFolder,
    resolvePlace(path) {
      const slash = path.lastIndexOf('/')
      if (slash === -1) return path
      const folder = resolveFolder(path.slice(0, slash))
      return folder === '' ? path.slice(slash + 1) : folder + path.slice(slash)
    },
    remember(path) {
      resolved.set(path, path)
    },
    forget() {
      resolved.clear()
      resolved.set('', '')
    },
  }
}

/** lstat(2), or undefined when there is nothing. */
export function lstatOrNothing(path: Buffer | string): Stats | undefined {
  try {
    return lstatSync(path, {throwIfNoEntry: false})
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

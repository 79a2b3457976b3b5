import type {TreeView} from '../fixes/tree-view.js'
import {DEFAULT_LIMITS} from '../limits.js'
import {memberPath} from '../tree/member-path.js'
import {PathRefusal} from '../tree/path-refusal.js'

/** An owner and mode that a package, or the user, gave to a path permanently. */
export type StatOverride = {
  /** Relative to the root; a byte string. */
  readonly path: string
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** A numeric id. */
const NUMERIC = /^#(?<id>\d{1,10})$/
const LINE = /^(?<user>\S+) (?<group>\S+) (?<mode>[0-7]{3,5}) \/(?<path>.+)$/
const ACCOUNT = /^(?<name>[^:]+):[^:]*:(?<id>\d{1,10}):/
/** The largest id; the next one means "unchanged". @see chown(2) */
const MOST_ID = 2 ** 32 - 2

/**
 * Returns dpkg's overrides in a tree, for users and groups that the tree has. Skips malformed lines: the tree
 * is hostile.
 *
 * @see dpkg-statoverride(1)
 */
export function readStatOverrides(tree: TreeView): StatOverride[] {
  const text = textOf(tree, 'var/lib/dpkg/statoverride')
  if (text === '') return []
  const users = idsByName(textOf(tree, 'etc/passwd'))
  const groups = idsByName(textOf(tree, 'etc/group'))
  return text.split('\n').flatMap((line) => {
    const {user, group, mode, path} = LINE.exec(line)?.groups ?? {}
    if (user === undefined || group === undefined || mode === undefined || path === undefined) return []
    const [uid, gid] = [idOf(user, users), idOf(group, groups)]
    if (uid === undefined || gid === undefined) return []
    const place = placeOf(path)
    return place === undefined ? [] : [{path: place, uid, gid, mode: Number.parseInt(mode, 8) & 0o7777}]
  })
}

/** Returns the path relative to the root; undefined for the root itself, and for an invalid path. */
function placeOf(path: string): string | undefined {
  try {
    return memberPath(path, DEFAULT_LIMITS) || undefined
  } catch (error) {
    if (error instanceof PathRefusal) return undefined
    throw error
  }
}

function textOf(tree: TreeView, path: string): string {
  return tree.read(path)?.toString('latin1') ?? ''
}

/** Parses lines of passwd(5) and group(5): the name, one more field, the number. */
function idsByName(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const {name, id} = ACCOUNT.exec(line)?.groups ?? {}
      return name === undefined || Number(id) > MOST_ID ? [] : [[name, Number(id)] as const]
    }),
  )
}

function idOf(word: string, known: ReadonlyMap<string, number>): number | undefined {
  const id = NUMERIC.exec(word)?.groups?.['id']
  if (id === undefined) return known.get(word)
  return Number(id) > MOST_ID ? undefined : Number(id)
}

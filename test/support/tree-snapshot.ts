import {createHash} from 'node:crypto'
import {type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {errnoOf} from '../../src/errors.js'

const PERMISSIONS = 0o7777n

/**
 * A tree as lines that can be compared: path, kind, mode, size and digest or link target, the first path of
 * a shared inode, and the modification time cut to the microsecond. Sorted by the bytes of the path.
 *
 * @param skip - Kinds left out, of which envs makes none.
 */
export function treeSnapshot(root: string, {skip = ['device'], withOwners = false} = {}): string[] {
  const inodes = new Map<bigint, string>()
  const lines: string[] = []
  walk(Buffer.from(`${root}/.`), '.')
  return lines

  function walk(place: Buffer, path: string): void {
    const status = lstatSync(place, {bigint: true})
    const kind = kindOf(status)
    if (!skip.includes(kind)) lines.push(describe(place, path, {kind, status}))
    if (kind !== 'folder') return
    const names = readable(() => readdirSync(place, 'buffer')) ?? []
    for (const name of names.sort(Buffer.compare)) {
      walk(Buffer.concat([place, Buffer.from('/'), name]), `${path}/${name.toString('latin1')}`)
    }
  }

  function describe(
    place: Buffer,
    path: string,
    {kind, status}: {kind: string; status: BigIntStats},
  ): string {
    const first = inodes.get(status.ino) ?? path
    inodes.set(status.ino, first)
    const content =
      kind === 'file' ? contentOf(place) : kind === 'symlink' ? readlinkSync(place, 'latin1') : ''
    const mode = (status.mode & PERMISSIONS).toString(8)
    const owner = withOwners ? ` ${status.uid}:${status.gid}` : ''
    return `${path} ${kind} ${mode}${owner} ${content} =${first} ${status.mtimeNs / 1000n}`
  }
}

function contentOf(place: Buffer): string {
  const bytes = readable(() => readFileSync(place))
  if (bytes === undefined) return 'closed'
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}

/** Undefined for what its mode closes to its own owner. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return undefined
    throw error
  }
}

function kindOf(status: BigIntStats): string {
  if (status.isFile()) return 'file'
  if (status.isDirectory()) return 'folder'
  if (status.isSymbolicLink()) return 'symlink'
  if (status.isFIFO()) return 'fifo'
  return status.isSocket() ? 'socket' : 'device'
}

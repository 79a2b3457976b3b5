import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import {isErrno} from '../../host/errno.js'
import type {MemberSink} from '../tar/member.js'
import {type HeldFolder, holdFolder} from './held-folder.js'

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants
const PIECE_BYTES = 256 * 1024
const ZEROS = Buffer.alloc(PIECE_BYTES)

type ReadOptions = {
  readonly sink: MemberSink
  /** Called between pieces: waits for a reader that is slower, and throws after an abort. */
  readonly pace: () => Promise<void>
  /** Called for what an archive has no place for: a socket, a FIFO, a device. */
  readonly onSkipped: (name: string) => void
}

/**
 * Reads files of the host as members. Links are copied as links, and are never followed, while other processes change the tree.
 *
 * @param folder - An absolute path: the caller's own words.
 * @param name - The entry to read, whose members begin with its name; undefined for all that is in the folder, with the folder as the
 * member with an empty name.
 * @throws {NodeJS.ErrnoException} With the path of the entry below `folder`.
 */
export async function readPlain(
  folder: string,
  name: string | undefined,
  options: ReadOptions,
): Promise<void> {
  const held = holdFolder(folder)
  try {
    if (name !== undefined) return await readEntry(held, {name, at: name}, options)
    await readFolder(held, '', options)
  } finally {
    held.close()
  }
}

async function readFolder(folder: HeldFolder, at: string, options: ReadOptions): Promise<void> {
  await options.pace()
  options.sink.begin({kind: 'folder', name: at, ...facts(fstatSync(folder.fd))})
  const names = readdirSync(`/proc/self/fd/${folder.fd}`, {encoding: 'latin1'}).sort()
  for (const name of names) await readEntry(folder, {name, at: at === '' ? name : `${at}/${name}`}, options)
}

async function readEntry(
  folder: HeldFolder,
  {name, at}: {readonly name: string; readonly at: string},
  options: ReadOptions,
): Promise<void> {
  await options.pace()
  const status = folder.status(name)
  // It was removed since its name was read.
  if (status === undefined) return
  try {
    if (status.isDirectory()) {
      const inner = folder.open(name)
      try {
        await readFolder(inner, at, options)
      } finally {
        inner.close()
      }
    } else if (status.isSymbolicLink()) {
      const target = readlinkSync(folder.path(name), {encoding: 'latin1'})
      options.sink.begin({kind: 'symlink', name: at, target, ...facts(status)})
    } else if (status.isFile()) await readFile(folder, {name, at}, options)
    else options.onSkipped(at)
  } catch (error) {
    throw isErrno(error) &&
      error instanceof Error &&
      String(Reflect.get(error, 'path')).startsWith('/proc/self/fd/')
      ? Object.assign(error, {path: at})
      : error
  }
}

async function readFile(
  folder: HeldFolder,
  {name, at}: {readonly name: string; readonly at: string},
  {sink, pace, onSkipped}: ReadOptions,
): Promise<void> {
  // Opening a FIFO in its place must not wait for a writer.
  const fd = openSync(folder.path(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const status = fstatSync(fd)
    if (!status.isFile()) return onSkipped(at)
    const sizeBytes = status.size
    const sizes = {sizeBytes, storedBytes: sizeBytes, capability: undefined}
    sink.begin({kind: 'file', name: at, ...sizes, ...facts(status)})
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    for (let offset = 0; offset < sizeBytes; ) {
      await pace()
      const wanted = Math.min(PIECE_BYTES, sizeBytes - offset)
      const count = readSync(fd, piece, 0, wanted, offset)
      // A file that became shorter has the size that it was announced with.
      const bytes = count === 0 ? ZEROS.subarray(0, wanted) : piece.subarray(0, count)
      sink.data(bytes, offset)
      offset += bytes.length
    }
    sink.end()
  } finally {
    closeSync(fd)
  }
}

function facts({mode, mtimeMs}: Stats) {
  return {mode: mode & 0o777, uid: 0, gid: 0, modified: (mtimeMs / 1000).toFixed(6)}
}

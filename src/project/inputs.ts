import {createHash, type Hash} from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import {join, posix} from 'node:path'
import {errnoOf, wordsForErrno} from '../errors.js'
import {finishSha256, type Sha256, sha256Of} from '../host/digest.js'
import {type FolderHandle, openFolder, openTrustedFolder} from '../rootfs/tree/paths.js'
import {badInputError} from './errors.js'

/*
 * The files of a project that a step or a copy takes: names, kinds, contents, links and the executable bit; no times, no owners, no umask.
 *
 * A session that shares the folder of the project can write to it, so that its files are as hostile as a guest's: nothing here
 * follows a link, and each file is read once, through the descriptor that was checked.
 */

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL} = constants
const READ_BYTES = 256 * 1024
const EXECUTABLE = 0o111

/** Where the content is copied to, and the time that its files get, in seconds since 1970. */
export type InputCopy = {readonly folder: string; readonly epoch: number}

type Reading = {
  /** Lines of the digest. */
  readonly lines: string[]
  readonly copy: InputCopy | undefined
  readonly buffer: Buffer
}

/**
 * Reads what the patterns name, and returns a digest of it. `FOLDER/**` is the content of a folder, any other pattern a file or a
 * folder under its own last name.
 *
 * @param root - The folder of the project.
 * @param copy - Where to copy what is read, in an empty folder: the digest is that of the copy.
 * @throws {@link badInputError}
 */
export function readInputs(root: string, patterns: readonly string[], copy?: InputCopy): Sha256 {
  const reading: Reading = {lines: [], copy, buffer: Buffer.alloc(READ_BYTES)}
  for (const pattern of [...patterns].sort()) {
    const isContent = pattern.endsWith('/**')
    const path = isContent ? pattern.slice(0, -'/**'.length) : pattern.replace(/\/+$/, '')
    withFolderOf(root, path, (folder, name) => {
      if (isContent) readFolder(reading, {path, name: '', folder: openInner(folder, name, path)})
      else readEntry(reading, {folder, name, path, into: posix.basename(path)})
    })
  }
  return sha256Of(reading.lines.join('\n'))
}

/** Opens the folder that holds the last part of a path, one part after the other. */
function withFolderOf(root: string, path: string, work: (folder: FolderHandle, name: Buffer) => void): void {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  const last = parts.pop()
  if (last === undefined) throw badInputError({path, problem: 'it names the whole project; name its parts'})
  let folder = openTrustedFolder(root)
  try {
    for (const part of parts) {
      const inner = openInner(folder, Buffer.from(part), path)
      folder.close()
      folder = inner
    }
    work(folder, Buffer.from(last))
  } finally {
    folder.close()
  }
}

function openInner(folder: FolderHandle, name: Buffer, path: string): FolderHandle {
  try {
    return openFolder(folder.entry(name))
  } catch (error) {
    // The kernel says of a link that it is no folder.
    if (errnoOf(error) !== 'ENOTDIR' || linkTarget(folder.entry(name), path) === undefined)
      throw explained(path, error)
    throw badInputError({path, problem: 'it is reached through a link'}, {cause: error})
  }
}

type Entry = {
  readonly folder: FolderHandle
  readonly name: Buffer
  /** In the project, for messages. */
  readonly path: string
  /** In the copy and the digest. */
  readonly into: string
}

function readFolder(
  reading: Reading,
  {path, name, folder}: {readonly path: string; readonly name: string; readonly folder: FolderHandle},
): void {
  try {
    const names = orExplain(path, () => folder.list()).map((entry) => entry.name)
    for (const each of names.sort(Buffer.compare)) {
      const text = each.toString('latin1')
      readEntry(reading, {
        folder,
        name: each,
        path: `${path}/${each}`,
        into: name === '' ? text : `${name}/${text}`,
      })
    }
  } finally {
    folder.close()
  }
}

function readEntry(reading: Reading, entry: Entry): void {
  const {folder, name, path, into} = entry
  const place = folder.entry(name)
  const target = linkTarget(place, path)
  if (target !== undefined) {
    readLink(reading, {target, path, into})
    return
  }
  const fd = orExplain(path, () => openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  try {
    const status = fstatSync(fd)
    if (status.isDirectory()) {
      reading.lines.push(`d ${JSON.stringify(into)}`)
      if (reading.copy !== undefined) mkdirSync(pathIn(reading.copy, into), {mode: 0o755})
      readFolder(reading, {path, name: into, folder: openInner(folder, name, path)})
    } else if (status.isFile()) {
      const isExecutable = (status.mode & EXECUTABLE) !== 0
      const digest = readFile(reading, {fd, into, mode: isExecutable ? 0o755 : 0o644})
      reading.lines.push(`f ${isExecutable ? 'x' : '-'} ${JSON.stringify(into)} ${digest}`)
    } else throw badInputError({path, problem: 'it is neither a file, a folder nor a link'})
  } finally {
    closeSync(fd)
  }
}

/** Returns the text of a link; undefined for anything else. */
function linkTarget(place: Buffer, path: string): string | undefined {
  try {
    return readlinkSync(place, {encoding: 'latin1'})
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined
    throw explained(path, error)
  }
}

/** Links stay links, and none may lead out of what is copied. */
function readLink(
  {lines, copy}: Reading,
  {target, path, into}: {readonly target: string; readonly path: string; readonly into: string},
): void {
  const end = posix.normalize(posix.join(posix.dirname(into), target))
  if (target.startsWith('/') || end === '..' || end.startsWith('../'))
    throw badInputError({path, problem: `it is a link that leads out of what the file names: ${target}`})
  lines.push(`l ${JSON.stringify(into)} ${JSON.stringify(target)}`)
  if (copy !== undefined) symlinkSync(Buffer.from(target, 'latin1'), pathIn(copy, into))
}

function readFile(
  {copy, buffer}: Reading,
  {fd, into, mode}: {readonly fd: number; readonly into: string; readonly mode: number},
): Sha256 {
  const hash = createHash('sha256')
  if (copy === undefined) {
    pump(fd, {buffer, hash, to: undefined})
    return finishSha256(hash)
  }
  const path = pathIn(copy, into)
  const to = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
  try {
    pump(fd, {buffer, hash, to})
  } finally {
    closeSync(to)
  }
  utimesSync(path, copy.epoch, copy.epoch)
  return finishSha256(hash)
}

function pump(fd: number, {buffer, hash, to}: {buffer: Buffer; hash: Hash; to: number | undefined}): void {
  for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) {
    const bytes = buffer.subarray(0, got)
    hash.update(bytes)
    for (let at = 0; to !== undefined && at < got; ) at += writeSync(to, bytes, at)
  }
}

function pathIn({folder}: InputCopy, into: string): Buffer {
  return Buffer.from(join(folder, into), 'latin1')
}

function orExplain<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw explained(path, error)
  }
}

function explained(path: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  return badInputError({path, problem: wordsForErrno(errno)}, {cause: error})
}

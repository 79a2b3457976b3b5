import {closeSync, fstatSync, openSync, readSync} from 'node:fs'
import {posix} from 'node:path'
import {isErrno} from '../../host/errno.js'
import {noFileError} from '../errors.js'
import {notImageFolderError} from './errors.js'

/** The position of a file's bytes in an archive. */
export type ArchivePlace = {readonly start: number; readonly sizeBytes: number}

const BLOCK_BYTES = 512
/** An image has three members a layer at most, and an archive some images. */
const MOST_MEMBERS = 100_000
/** Maximum size of an extension header. */
const MOST_HEADER_BYTES = 64 * 1024
/** Links between the layers of an archive; Docker writes one step. */
const MOST_LINKS = 5

type IndexEntry = ArchivePlace | {readonly target: string}

/**
 * Reads where the files of an uncompressed tar archive are, by its headers alone.
 *
 * Of tar's formats it knows what podman, Docker and skopeo write: ustar, long names of GNU, and paths in pax headers.
 *
 * @param source - Path of the archive as the user wrote it, for messages.
 * @throws {@link notImageFolderError} When it is no tar archive, or ends early.
 * @see tar(5)
 */
export function readArchiveIndex(archive: string, source: string): ReadonlyMap<string, ArchivePlace> {
  const entries = new Map<string, IndexEntry>()
  for (const {name, type, target, place} of headersOrRefusal(archive, source)) {
    if (type === 'file') entries.set(name, place)
    // Docker writes layers that are the same as links: ../OTHER/layer.tar
    else if (type === 'symlink') entries.set(name, {target: posix.join(posix.dirname(name), target)})
    else if (type === 'hardlink') entries.set(name, {target: posix.normalize(target)})
  }
  const places = new Map<string, ArchivePlace>()
  for (const name of entries.keys()) {
    let entry = entries.get(name)
    for (let links = 0; entry !== undefined && 'target' in entry && links < MOST_LINKS; links++)
      entry = entries.get(entry.target)
    if (entry !== undefined && !('target' in entry)) places.set(name, entry)
  }
  return places
}

function headersOrRefusal(archive: string, source: string): ArchiveHeader[] {
  try {
    return [...readHeaders(archive)]
  } catch (error) {
    const cause = error
    if (error instanceof NotAnArchive)
      throw notImageFolderError({path: source, reason: 'it is not a whole tar archive'}, {cause})
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw noFileError(source, {cause})
    throw error
  }
}

/** Names at the top of an archive of images. @see The image layout of OCI; `docker save` */
const IMAGE_NAMES =
  /^(?:oci-layout|index\.json|manifest\.json|repositories|blobs|[0-9a-f]{64}(?:\.json|\.tar)?)$/
const IMAGE_MARKS = ['manifest.json', 'index.json']

/**
 * Returns whether a file is an uncompressed archive of images: all names at its top are those of such archives. It reads the first
 * header of any other file.
 */
export function isImageArchive(path: string): boolean {
  try {
    const names = new Set<string>()
    for (const {name} of readHeaders(path)) {
      const [top = ''] = name.split('/')
      if (!IMAGE_NAMES.test(top)) return false
      names.add(name)
    }
    return IMAGE_MARKS.some((mark) => names.has(mark))
  } catch (error) {
    // Any other use of the file tells why it can't be read.
    if (error instanceof NotAnArchive || isErrno(error)) return false
    throw error
  }
}

/** Returns whether the beginning of a tar archive is that of an archive of images, by the name of its first member. */
export function isImageMember(start: Buffer): boolean {
  for (let at = 0; at + BLOCK_BYTES <= start.length; ) {
    const block = start.subarray(at, at + BLOCK_BYTES)
    if (!isHeader(block)) return false
    const [top = ''] = posix.normalize(ustarName(block)).split('/')
    if (!EXTENSIONS.has(String.fromCharCode(block[156] ?? 0))) return IMAGE_NAMES.test(top)
    at += BLOCK_BYTES + Math.ceil(octal(block, 124, 12) / BLOCK_BYTES) * BLOCK_BYTES
  }
  return false
}

/** Headers that describe the next member. */
const EXTENSIONS = new Set(['x', 'g', 'L', 'K'])

class NotAnArchive extends Error {}

type ArchiveHeader = {
  /** Relative, without `.` and `..`. */
  readonly name: string
  readonly type: 'file' | 'hardlink' | 'symlink' | 'other'
  readonly target: string
  readonly place: ArchivePlace
}

const TYPES: Readonly<Record<string, ArchiveHeader['type']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
}

function* readHeaders(archive: string): Generator<ArchiveHeader> {
  const fd = openSync(archive, 'r')
  try {
    const {size} = fstatSync(fd)
    const block = Buffer.alloc(BLOCK_BYTES)
    let longName: string | undefined
    for (let at = 0, members = 0; at + BLOCK_BYTES <= size; members++) {
      readSync(fd, block, 0, BLOCK_BYTES, at)
      if (block[0] === 0) return
      if (!isHeader(block) || members > MOST_MEMBERS) throw new NotAnArchive()
      const place = {start: at + BLOCK_BYTES, sizeBytes: octal(block, 124, 12)}
      at = place.start + Math.ceil(place.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES
      if (place.start + place.sizeBytes > size) throw new NotAnArchive()
      const type = String.fromCharCode(block[156] ?? 0)
      if (type === 'L' || type === 'x') {
        longName = nameIn(readBody(fd, place), type) ?? longName
        continue
      }
      if (type === 'g' || type === 'K') continue
      const name = posix.normalize(longName ?? ustarName(block)).replace(/^\/+|\/+$/g, '')
      longName = undefined
      yield {name, type: TYPES[type] ?? 'other', target: text(block, 157, 100), place}
    }
  } finally {
    closeSync(fd)
  }
}

function readBody(fd: number, {start, sizeBytes}: ArchivePlace): Buffer {
  if (sizeBytes > MOST_HEADER_BYTES) throw new NotAnArchive()
  const body = Buffer.alloc(sizeBytes)
  readSync(fd, body, 0, sizeBytes, start)
  return body
}

function nameIn(body: Buffer, type: 'L' | 'x'): string | undefined {
  if (type === 'L') return text(body, 0, body.length)
  return /^\d+ path=(?<path>[^\n]*)$/m.exec(body.toString('latin1'))?.groups?.['path']
}

function ustarName(block: Buffer): string {
  const name = text(block, 0, 100)
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** The magic of POSIX and of GNU tar; no older archive holds images. */
function isHeader(block: Buffer): boolean {
  return block.toString('latin1', 257, 262) === 'ustar'
}

function octal(block: Buffer, offset: number, length: number): number {
  // Base 256, for sizes from 8 GiB on.
  if (block[offset] === 0x80) return block.readUIntBE(offset + length - 6, 6)
  const value = Number.parseInt(text(block, offset, length).trim() || '0', 8)
  if (Number.isNaN(value)) throw new NotAnArchive()
  return value
}

function text(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset)
  return block.toString('latin1', offset, end === -1 || end > offset + length ? offset + length : end)
}

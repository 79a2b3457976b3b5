import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import {isErrno} from '../../host/errno.js'
import {isUmaskOpen} from '../../host/files.js'
import type {MemberNotes} from '../ledger/ledger.js'
import type {Limits} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {type CapabilitySetter, type FolderMetadata, modificationTime, UNNAMED_FOLDER} from './metadata.js'
import type {Owners} from './owners.js'
import {lstatOrNothing, memberPath, openRootedPaths, PathRefusal, type RootedPaths} from './paths.js'

type MemberOf<Kind extends Member['kind']> = Extract<Member, {kind: Kind}>

export type WriterCounts = {
  entries: number
  bytes: number
  skippedDevices: number
  /** Files that lack the capabilities of the archive. */
  fileCapabilities: number
}

/** Writes a tree, and records the work for the end of the archive. */
export type TreeWriter = MemberSink & {
  readonly counts: Readonly<WriterCounts>
  readonly paths: RootedPaths
  /** FIFOs by path: making one takes a program, so all are made at once. */
  readonly fifos: ReadonlyMap<string, Member>
  /** Folders by real path; only their owner has access until their metadata is applied. */
  readonly folders: Map<string, FolderMetadata>
}

export type WriterOptions = {
  readonly limits: Limits
  readonly owners: Owners
  readonly notes: MemberNotes
  readonly setCapability: CapabilitySetter
}

/**
 * Writes members inside `root`, as GNU tar does, and nowhere else.
 *
 * Never opens an existing entry: a file is always new, so that it is not written through a link or a FIFO of
 * an earlier member.
 *
 * @throws {PathRefusal} From `begin`: for a member that would leave the root, or is impossible.
 * @throws {NodeJS.ErrnoException}
 */
export function openTreeWriter(
  root: string,
  {limits, owners, notes, setCapability}: WriterOptions,
): TreeWriter {
  const counts: WriterCounts = {entries: 0, bytes: 0, skippedDevices: 0, fileCapabilities: 0}
  const folders = new Map<string, FolderMetadata>([['', UNNAMED_FOLDER]])
  const fifos = new Map<string, Member>()
  const devices = new Set<string>()
  const paths = openRootedPaths(root, (path) => makeFolder(path, UNNAMED_FOLDER), {
    mostSteps: () => limits.pathSteps + limits.memberSteps * counts.entries,
  })
  const file = openFileWriter(owners, setCapability)
  let filePath = ''

  function makeFolder(path: string, metadata: FolderMetadata): void {
    mkdirSync(paths.absolute(path), 0o700)
    folders.set(path, metadata)
    paths.remember(path)
  }

  /** Makes an entry where another one may exist; only an empty folder is replaced by another kind. */
  function replace(path: string, make: (place: Buffer) => void): void {
    notes.gone(path)
    fifos.delete(path)
    devices.delete(path)
    const place = paths.absolute(path)
    try {
      make(place)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      clear(path)
      make(place)
    }
  }

  function clear(path: string): void {
    notes.gone(path)
    const status = lstatOrNothing(paths.absolute(path))
    if (status?.isDirectory()) {
      rmdirSync(paths.absolute(path))
      folders.delete(path)
      paths.forgetFolder(path)
    } else if (status !== undefined) {
      unlinkSync(paths.absolute(path))
      if (status.isSymbolicLink()) paths.forgetLink()
    }
  }

  function writeFolder(path: string, member: MemberOf<'folder'>): void {
    const metadata = {mode: member.mode, named: member}
    const status = path === '' ? undefined : lstatOrNothing(paths.absolute(path))
    if (path === '' || status?.isDirectory()) {
      folders.set(path, metadata)
      notes.gone(path)
      notes.written(path, member)
      return
    }
    // Merged /usr: a folder with the name of a link to a folder (bin -> usr/bin) means the link's target.
    if (status?.isSymbolicLink() && leadsToFolder(path)) return
    replace(path, () => {
      if (status !== undefined) clear(path)
      makeFolder(path, metadata)
    })
    notes.written(path, member)
  }

  function leadsToFolder(path: string): boolean {
    try {
      paths.resolveFolder(path)
      return true
    } catch (error) {
      if (error instanceof PathRefusal) return false
      throw error
    }
  }

  function writeSymlink(path: string, member: MemberOf<'symlink'>): void {
    if (member.target === '' || member.target.includes('\0') || member.target.length >= limits.targetBytes) {
      throw new PathRefusal(member.name, 'its link target is not valid')
    }
    replace(path, (place) => symlinkSync(Buffer.from(member.target, 'latin1'), place))
    const place = paths.absolute(path)
    const owner = owners.ownerFor(member)
    if (owner !== undefined) lchownSync(place, owner.uid, owner.gid)
    lutimesSync(place, modificationTime(member.modified), modificationTime(member.modified))
    notes.written(path, member)
  }

  function writeHardlink(path: string, member: MemberOf<'hardlink'>): void {
    const target = paths.resolvePlace(memberPath(member.target, limits))
    if (target === path) return
    const fifo = fifos.get(target)
    if (fifo !== undefined || devices.has(target)) {
      if (fifo === undefined) skipDevice(path)
      else fifos.set(path, fifo)
      notes.linked(path, target)
      return
    }
    const status = lstatOrNothing(paths.absolute(target))
    if (target === '' || status === undefined || status.isDirectory()) {
      throw new PathRefusal(member.name, `it links to ${member.target}, which is not an earlier member`)
    }
    replace(path, (place) => linkSync(paths.absolute(target), place))
    notes.linked(path, target)
  }

  function skipDevice(path: string): void {
    devices.add(path)
    counts.skippedDevices++
  }

  function endFile(): void {
    const written = file.close()
    if (written === undefined) return
    if (written.lacksCapability) counts.fileCapabilities++
    notes.written(filePath, written.member, written.lacksCapability ? 'capability' : undefined)
  }

  return {
    counts,
    paths,
    fifos,
    folders,
    begin(member) {
      counts.entries++
      const path = paths.resolvePlace(memberPath(member.name, limits))
      if (path === '' && member.kind !== 'folder')
        throw new PathRefusal(member.name, 'it would replace the root')
      switch (member.kind) {
        case 'file':
          counts.bytes += member.storedBytes
          filePath = path
          replace(path, (place) => file.open(place, member))
          return
        case 'folder':
          writeFolder(path, member)
          return
        case 'symlink':
          writeSymlink(path, member)
          return
        case 'hardlink':
          writeHardlink(path, member)
          return
        case 'fifo':
          clear(path)
          fifos.set(path, member)
          notes.written(path, member)
          return
        case 'device':
          skipDevice(path)
          notes.gone(path)
          notes.written(path, member, 'device')
      }
    },
    data: file.write,
    end: endFile,
  }
}

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

type FileMember = Extract<Member, {kind: 'file'}>

/** A written file, and whether it lacks its capability. */
export type Written = {readonly member: FileMember; readonly lacksCapability: boolean}

/** Writes one file at a time. */
export type FileWriter = {
  /** Makes a new file; an existing entry is never opened. @throws {NodeJS.ErrnoException} EEXIST */
  open(place: Buffer, member: FileMember): void
  write(bytes: Buffer, offset: number): void
  /** Completes the file and returns the result; undefined if none is open. */
  close(): Written | undefined
}

function openFileWriter(owners: Owners, setCapability: CapabilitySetter): FileWriter {
  const keepsMode = isUmaskOpen()
  let current: {fd: number; member: FileMember; reached: number} | undefined

  return {
    open(place, member) {
      // Sets the final mode if no later call removes bits: one call less for nearly every file.
      const mode = hasSpecialBits(member) ? 0o600 : member.mode
      current = {fd: openSync(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode), member, reached: 0}
    },
    write(bytes, offset) {
      if (current === undefined) throw new Error('no file is open')
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(current.fd, bytes, done, bytes.length - done, offset + done)
      }
      current.reached = offset + bytes.length
    },
    close() {
      if (current === undefined) return undefined
      const {fd, member, reached} = current
      current = undefined
      try {
        if (reached < member.sizeBytes) ftruncateSync(fd, member.sizeBytes)
        // In this order: writing and chown(2) both remove setuid and capabilities.
        const owner = owners.ownerFor(member)
        if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid)
        if (hasSpecialBits(member) || !keepsMode) fchmodSync(fd, member.mode)
        const {capability} = member
        const lacksCapability = capability !== undefined && !setCapability(fd, capability)
        futimesSync(fd, modificationTime(member.modified), modificationTime(member.modified))
        return {member, lacksCapability}
      } finally {
        closeSync(fd)
      }
    },
  }
}

/** Setuid, setgid and sticky: writing and chown(2) remove the first two. */
function hasSpecialBits({mode}: FileMember): boolean {
  return (mode & 0o7000) !== 0
}

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lutimesSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import {isErrno} from '../../host/errno.js'
import type {Member, MemberSink} from '../tar/member.js'
import type {HeldFolder} from './held-folder.js'

/** Writes members as ordinary files of the caller. Members have names below the folder, their components separated by `/`. */
export type PlainWriter = MemberSink & {
  /** Gives the folders their modes and times. */
  finish(): void
  /** Closes everything, and removes a file that is not complete. */
  close(): void
}

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants
/** Bits that give the rights of a file's owner to others are never set: the owner is the caller. */
const MODE_BITS = 0o777
/** Of a folder that members are still written into. */
const OWNER_BITS = 0o700

type OpenFile = {
  readonly fd: number
  readonly folder: HeldFolder
  readonly name: string
  readonly member: Member
}

/**
 * Opens a folder of the host for members of a hostile archive. Other processes may change what is in it meanwhile.
 *
 * @param root - The writer closes it.
 * @param onSkipped - Called for a member that the caller can't make: a device or a FIFO.
 */
export function openPlainWriter(root: HeldFolder, onSkipped: (member: Member) => void): PlainWriter {
  /** The folders on the way to the last member, the root first. */
  const held: {readonly name: string; readonly folder: HeldFolder}[] = [{name: '', folder: root}]
  const folders: {readonly parts: readonly string[]; readonly member: Member}[] = []
  let file: OpenFile | undefined

  function folderOf(parts: readonly string[], mode = MODE_BITS): HeldFolder {
    let same = 1
    while (same < held.length && same <= parts.length && held[same]?.name === parts[same - 1]) same++
    for (const {folder} of held.splice(same)) folder.close()
    for (const name of parts.slice(held.length - 1))
      held.push({name, folder: lastFolder().openOrMake(name, mode)})
    return lastFolder()
  }

  function lastFolder(): HeldFolder {
    const last = held.at(-1)
    if (last === undefined) throw new Error('the writer is closed')
    return last.folder
  }

  /** Makes room for a new entry; a link is replaced and never followed. */
  function vacantPlace(parts: readonly string[]): {readonly folder: HeldFolder; readonly name: string} {
    const name = parts.at(-1)
    if (name === undefined) throw new Error('only a folder may be the root')
    const folder = folderOf(parts.slice(0, -1))
    const status = folder.status(name)
    if (status !== undefined && !status.isDirectory()) unlinkSync(folder.path(name))
    return {folder, name}
  }

  function begin(member: Member): void {
    const parts = partsOf(member.name)
    switch (member.kind) {
      case 'folder':
        folderOf(parts, (member.mode & MODE_BITS) | OWNER_BITS)
        folders.push({parts, member})
        return
      case 'file': {
        const {folder, name} = vacantPlace(parts)
        const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        file = {fd: openSync(folder.path(name), flags, member.mode & MODE_BITS), folder, name, member}
        return
      }
      case 'symlink': {
        const {folder, name} = vacantPlace(parts)
        symlinkSync(Buffer.from(member.target, 'latin1'), folder.path(name))
        lutimesSync(folder.path(name), Number(member.modified), Number(member.modified))
        return
      }
      case 'hardlink':
        makeHardLink(member.target, parts)
        return
      case 'fifo':
      case 'device':
        onSkipped(member)
    }
  }

  function makeHardLink(target: string, place: readonly string[]): void {
    const parts = partsOf(target)
    const last = parts.at(-1) ?? ''
    const way: HeldFolder[] = []
    try {
      for (const part of parts.slice(0, -1)) way.push((way.at(-1) ?? rootFolder()).open(part))
      const from = (way.at(-1) ?? rootFolder()).path(last)
      const {folder, name} = vacantPlace(place)
      linkSync(from, folder.path(name))
    } finally {
      for (const each of way) each.close()
    }
  }

  function rootFolder(): HeldFolder {
    const [first] = held
    if (first === undefined) throw new Error('the writer is closed')
    return first.folder
  }

  function discardFile(): void {
    if (file === undefined) return
    const {fd, folder, name} = file
    file = undefined
    closeSync(fd)
    try {
      unlinkSync(folder.path(name))
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EISDIR', 'EPERM')) throw error
    }
  }

  return {
    begin,
    data(bytes, offset) {
      if (file === undefined) throw new Error('data without a file')
      for (let at = 0; at < bytes.length; )
        at += writeSync(file.fd, bytes, at, bytes.length - at, offset + at)
    },
    end() {
      if (file === undefined) throw new Error('an end without a file')
      const {fd, member} = file
      if (member.kind === 'file') ftruncateSync(fd, member.sizeBytes)
      setTime(fd, member)
      closeSync(fd)
      file = undefined
    },
    finish() {
      // The deepest first: the mode of a folder may close it, and an entry changes its time.
      for (const {parts, member} of folders.reverse()) {
        const {fd} = folderOf(parts)
        fchmodSync(fd, member.mode & fstatSync(fd).mode & MODE_BITS)
        setTime(fd, member)
      }
    },
    close() {
      discardFile()
      for (const {folder} of held.splice(0)) folder.close()
    },
  }
}

function setTime(fd: number, {modified}: Member): void {
  futimesSync(fd, Number(modified), Number(modified))
}

function partsOf(name: string): string[] {
  return name === '' ? [] : name.split('/')
}

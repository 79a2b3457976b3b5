import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  openSync,
  writeSync,
} from 'node:fs'
import {isUmaskOpen} from '../../host/umask.js'
import type {Member} from '../tar/member.js'
import type {CapabilitySetter} from './file-capability.js'
import {modificationTime} from './modification-time.js'
import type {Owners} from './owners.js'

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

export function openFileWriter(owners: Owners, setCapability: CapabilitySetter): FileWriter {
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

import {closeSync, constants, fchmodSync, openSync, writeSync} from 'node:fs'
import type {MemberSink} from '../tar/member.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** Writes members of a package to new files, which the owner can execute and nobody else can write. */
export type HostFile = Pick<MemberSink, 'data' | 'end'> & {
  /** Begins a new file at this path. @throws {NodeJS.ErrnoException} */
  open(path: string): void
}

/** @returns A sink that discards data while no file is open. */
export function openHostFile(): HostFile {
  let fd: number | undefined
  return {
    open(path) {
      fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o700)
      fchmodSync(fd, 0o755)
    },
    data(bytes, offset) {
      if (fd === undefined) return
      for (let done = 0; done < bytes.length; )
        done += writeSync(fd, bytes, done, bytes.length - done, offset + done)
    },
    end() {
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}

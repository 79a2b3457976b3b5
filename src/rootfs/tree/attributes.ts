import {chmodSync, closeSync, constants, fchmodSync, openSync, type Stats} from 'node:fs'
import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {findPerl, runBlocking, scriptWords} from '../../host/process.js'
import {lstatOrNothing} from './paths.js'

/** Extended attributes `user.*` of a file or a folder, by name: byte strings (latin1). */
export type Attributes = ReadonlyMap<string, Buffer>

type HostTools = {
  readonly which: (program: string) => string | undefined
  readonly architecture: DebArchitecture
}

/** Open files of one program; a process may have 1,024. */
const BATCH = 100

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/**
 * Sets attributes of files and folders of the caller's through a program that inherits them open: Node has no call for it.
 *
 * Attributes that the file system does not take are left out, as other tools do: tmpfs has these attributes since Linux 6.6, and ext4 has place
 * for some kilobytes a file.
 *
 * @param places - Real paths in a tree that nobody else changes.
 * @see xattr(7), "Extended user attributes"
 */
export function setAttributes(
  places: Iterable<readonly [place: Buffer, attributes: Attributes]>,
  {which, architecture}: HostTools,
): void {
  const todo = [...places]
  const perl = todo.length === 0 ? undefined : findPerl({which})
  if (perl === undefined) return
  const argv = [...scriptWords(perl, 'files/set-attributes'), String(systemCalls(architecture).fsetxattr)]
  for (let at = 0; at < todo.length; at += BATCH) {
    const opened = todo.slice(at, at + BATCH).flatMap(([place, attributes]) => {
      const file = openWritable(place)
      return file === undefined ? [] : [{...file, attributes}]
    })
    try {
      const lines = opened.flatMap(({attributes}, index) =>
        [...attributes].map(([name, value]) => `${index + 3} ${hex(name)} ${value.toString('hex')}\n`),
      )
      runBlocking(argv, {fd: opened.map(({fd}) => fd), input: lines.join('')})
    } finally {
      for (const {fd, status} of opened) {
        if ((status.mode & WRITABLE) !== WRITABLE) fchmodSync(fd, status.mode & 0o7777)
        closeSync(fd)
      }
    }
  }
}

/** Only who may write a file can set its attributes, even if he owns it. */
const WRITABLE = 0o600

function openWritable(place: Buffer): {fd: number; status: Stats} | undefined {
  const found = lstatOrNothing(place)
  if (found === undefined || !(found.isFile() || found.isDirectory())) return undefined
  if ((found.mode & WRITABLE) !== WRITABLE) chmodSync(place, found.mode | WRITABLE)
  return {fd: openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), status: found}
}

function hex(name: string): string {
  return Buffer.from(name, 'latin1').toString('hex')
}

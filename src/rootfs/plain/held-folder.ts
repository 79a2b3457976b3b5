import {closeSync, constants, lstatSync, mkdirSync, openSync, type Stats} from 'node:fs'

const {O_RDONLY, O_DIRECTORY, O_NOFOLLOW} = constants

/**
 * A folder of the host that is held open. Names in it are looked up one by one from its descriptor and are never followed as links, so
 * a process that replaces a folder by a link meanwhile leads nowhere. Names are byte strings (latin1).
 */
export type HeldFolder = {
  /** Returns the path of an entry for a call that does not follow a link in its last component. */
  path(name: string): Buffer
  /** Returns the status of an entry itself; undefined if there is none. */
  status(name: string): Stats | undefined
  /** Opens a folder in it. @throws {NodeJS.ErrnoException} ENOTDIR and ELOOP for anything else, a link included. */
  open(name: string): HeldFolder
  /** As `open`; makes the folder if it is missing, with the mode that the umask leaves. */
  openOrMake(name: string, mode: number): HeldFolder
  readonly fd: number
  close(): void
}

/** @param path - Followed through links: the caller's own words. */
export function holdFolder(path: string): HeldFolder {
  return heldFolder(openSync(path, O_RDONLY | O_DIRECTORY))
}

function heldFolder(fd: number): HeldFolder {
  const path = (name: string) => Buffer.from(`/proc/self/fd/${fd}/${checked(name)}`, 'latin1')
  const open = (name: string) => heldFolder(openSync(path(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  const status = (name: string) => lstatSync(path(name), {throwIfNoEntry: false})
  return {
    fd,
    path,
    status,
    open,
    openOrMake(name, mode) {
      if (status(name) === undefined) mkdirSync(path(name), {mode})
      return open(name)
    },
    close: () => closeSync(fd),
  }
}

/** A bug elsewhere must not become a path that leads out of the folder. */
function checked(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new Error(`${JSON.stringify(name)} is not the name of an entry`)
  return name
}

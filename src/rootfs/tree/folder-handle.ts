import {
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  type Stats,
} from 'node:fs'

/**
 * O_PATH, asm-generic/fcntl.h: Node has no name for it. It is the same on every processor of Debian and
 * Ubuntu.
 */
const O_PATH = 0o10000000
const {O_DIRECTORY, O_NOFOLLOW} = constants

/**
 * A folder held open, whose entries stay accessible if its path changes: openat(2) by way of /proc/self/fd.
 * Needs no permission on the folder itself.
 */
export type FolderHandle = {
  readonly status: Stats
  entry(name: Buffer): Buffer
  /** @throws {NodeJS.ErrnoException} EACCES if the folder may not be read. */
  list(): Dirent<Buffer>[]
  chmod(mode: number): void
  close(): void
}

/** Opens a folder, never through a link in its last component. @throws {NodeJS.ErrnoException} */
export function openFolder(path: Buffer | string): FolderHandle {
  return handleOf(openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW))
}

/** Opens a folder of the user, who may have replaced it by a link. @throws {NodeJS.ErrnoException} */
export function openTrustedFolder(path: string): FolderHandle {
  return handleOf(openSync(path, O_PATH | O_DIRECTORY))
}

function handleOf(fd: number): FolderHandle {
  const self = `/proc/self/fd/${fd}`
  return {
    status: fstatSync(fd),
    entry: (name) => Buffer.concat([Buffer.from(`${self}/`), name]),
    list: () => readdirSync(self, {encoding: 'buffer', withFileTypes: true}),
    chmod: (mode) => chmodSync(self, mode),
    close: () => closeSync(fd),
  }
}

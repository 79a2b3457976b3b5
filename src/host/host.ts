import {accessSync, closeSync, constants, openSync, readlinkSync, readSync, statSync} from 'node:fs'
import {userInfo} from 'node:os'
import {delimiter, isAbsolute, join} from 'node:path'
import {exactFolder, exactVariables} from './argv/bytes.js'
import {unlessErrno} from './errno.js'
import {type DebArchitecture, debArchitecture} from './machine/arch.js'
import {checkOwnFolders} from './own-folders.js'
import {fetchedTool, openPaths, type Paths, packageRoot} from './paths.js'

/** Facts about the machine and the user, read once; functions take the fields that they need. */
export type Host = {
  readonly paths: Paths
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingFolder: string
  readonly uid: number
  readonly gid: number
  readonly architecture: DebArchitecture
  readonly now: () => Date
  /** Absolute path of a host program, or undefined. */
  readonly which: (program: string) => string | undefined
}

/** Folders of administration programs, which are not in the PATH of an ordinary user. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Reads the facts of the current process. No other function does, so tests can pass another host. */
export function openHost(): Host {
  const environment = exactVariables(process.env)
  const uid = process.getuid?.() ?? 0
  const paths = openPaths(environment, homeFolder(environment['HOME']))
  return {
    paths,
    environment,
    workingFolder: currentFolder(environment['PWD']),
    uid,
    gid: process.getgid?.() ?? 0,
    architecture: debArchitecture(process.arch),
    now: () => new Date(),
    which: (program) => findProgram(program, environment['PATH'] ?? '') ?? findFetched(paths, program),
  }
}

/**
 * Returns the host, for a command that uses the store.
 *
 * @throws {@link unsafeStoreError} If other users can change the store.
 */
export function openCheckedHost(): Host {
  // With a umask that masks bits of the owner, envs could not enter folders that it makes.
  process.umask(process.umask() & 0o077)
  const host = openHost()
  const {uid, gid, paths} = host
  checkOwnFolders(paths, {uid, groups: [gid, ...(process.getgroups?.() ?? [])]})
  return host
}

/** Returns HOME if it is absolute, else the home folder of the account. */
function homeFolder(home: string | undefined): string {
  if (home !== undefined && isAbsolute(home)) return home
  try {
    return userInfo().homedir
  } catch {
    // getpwuid(3) finds no account for this id.
    return '/'
  }
}

/** Returns the working folder; if it was removed, its former path from PWD, or as the kernel shows it: `/path (deleted)`. */
function currentFolder(shellsWord: string | undefined): string {
  const folder = unlessErrno(() => exactFolder(process.cwd()), 'ENOENT')
  if (folder !== undefined) return folder
  return shellsWord?.startsWith('/') ? shellsWord : readlinkSync('/proc/self/cwd')
}

/** Returns the first executable `program` in `searchPath`, then in the system folders. */
export function findProgram(program: string, searchPath: string): string | undefined {
  const folders = [
    ...searchPath.split(delimiter).filter((folder) => folder.startsWith('/')),
    ...SYSTEM_FOLDERS,
  ]
  return folders.map((folder) => join(folder, program)).find(isExecutableFile)
}

/** Names of the fetched tools, by program. */
const FETCHED: ReadonlyMap<string, string> = new Map([
  ['bwrap', 'bubblewrap'],
  ['pasta', 'passt'],
  ['perl', 'perl'],
  ['proot', 'proot'],
])

/** Returns a fetched program, or one that a self-contained build ships in a folder named by the tool. */
function findFetched(paths: Paths, program: string): string | undefined {
  const tool = FETCHED.get(program)
  if (tool === undefined) return undefined
  const fetched = fetchedTool(paths, tool)
  const folders = [...(fetched === undefined ? [] : [fetched]), join(packageRoot(), tool)]
  return folders.map((folder) => join(folder, program)).find(isExecutableFile)
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile() && !isShim(path)
  } catch {
    return false
  }
}

/** First lines of a shim, also known to `bin/envs`. Environment and command follow. */
export const SHIM_MARK = '#!/bin/sh\n# envs-shim '

/**
 * Returns whether a file is a shim: a script that runs a command of a guest, and must not be taken for a host
 * program.
 */
export function isShim(path: string): boolean {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return false
  }
  try {
    const start = Buffer.alloc(SHIM_MARK.length)
    return readSync(file, start) === start.length && start.toString('latin1') === SHIM_MARK
  } finally {
    closeSync(file)
  }
}

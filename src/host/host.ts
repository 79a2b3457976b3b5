import {accessSync, closeSync, constants, openSync, readSync, statSync} from 'node:fs'
import {userInfo} from 'node:os'
import {delimiter, isAbsolute, join} from 'node:path'
import {type DebArchitecture, debArchitecture} from './arch.js'
import {unlessErrno} from './errno.js'
import {checkOwnFolders} from './own-folders.js'
import {fetchedTool, openPaths, type Paths, packageRoot} from './paths.js'

/** What envs knows of the machine and the user, read once; functions take the slice they use. */
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

/** Folders that hold administration programs but are not in an ordinary user's PATH. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Reads the process: the only place that does, so that everything else can be given another host. */
export function openHost(): Host {
  const environment = process.env
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
 * Reads the process for a command that uses the store.
 *
 * @throws {@link unsafeStoreError} When others could change what is in it.
 */
export function openCheckedHost(): Host {
  const host = openHost()
  const {uid, gid, paths} = host
  checkOwnFolders(paths, {uid, groups: [gid, ...(process.getgroups?.() ?? [])]})
  return host
}

/** One that is empty or relative would be another in each folder: then the one that the account has. */
function homeFolder(home: string | undefined): string {
  if (home !== undefined && isAbsolute(home)) return home
  try {
    return userInfo().homedir
  } catch {
    // An id without a name has none, and getpwuid(3) finds nothing.
    return '/'
  }
}

/** A shell may stand in a folder that was removed: what it called it then leads to nothing, as it should. */
function currentFolder(shellsWord: string | undefined): string {
  return unlessErrno(() => process.cwd(), 'ENOENT') ?? (shellsWord?.startsWith('/') ? shellsWord : '/')
}

/** The first executable `program` of `searchPath`, then of the system's own folders. */
export function findProgram(program: string, searchPath: string): string | undefined {
  const folders = [
    ...searchPath.split(delimiter).filter((folder) => folder.startsWith('/')),
    ...SYSTEM_FOLDERS,
  ]
  return folders.map((folder) => join(folder, program)).find(isExecutableFile)
}

/** What was fetched for a host that does not have it, by the tool that it came with. */
const FETCHED: ReadonlyMap<string, string> = new Map([
  ['bwrap', 'bubblewrap'],
  ['perl', 'perl'],
  ['proot', 'proot'],
])

/** One that was fetched, or that a self-contained build brings in a folder of the tool's name. */
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

/** How a shim begins; `bin/envs` looks for the same. The words after it: environment, command. */
export const SHIM_MARK = '#!/bin/sh\n# envs-shim '

/**
 * Whether a file is a shim of envs: a call of envs for a command of a guest, which has the name of a program but must not
 * be taken for one of the host's.
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

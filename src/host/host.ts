import {accessSync, constants, statSync} from 'node:fs'
import {homedir} from 'node:os'
import {delimiter, join} from 'node:path'
import {errnoOf} from '../errors.js'
import {type DebArchitecture, debArchitecture} from './architecture.js'
import {openPaths, type Paths} from './paths.js'

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
  return {
    paths: openPaths(environment, environment['HOME'] || homedir()),
    environment,
    workingFolder: currentFolder(environment['PWD']),
    uid,
    gid: process.getgid?.() ?? 0,
    architecture: debArchitecture(process.arch),
    now: () => new Date(),
    which: (program) => findProgram(program, environment['PATH'] ?? ''),
  }
}

/** A shell may stand in a folder that was removed: what it called it then leads to nothing, as it should. */
function currentFolder(shellsWord: string | undefined): string {
  try {
    return process.cwd()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return shellsWord?.startsWith('/') ? shellsWord : '/'
  }
}

/** The first executable `program` of `searchPath`, then of the system's own folders. */
export function findProgram(program: string, searchPath: string): string | undefined {
  const folders = [
    ...searchPath.split(delimiter).filter((folder) => folder.startsWith('/')),
    ...SYSTEM_FOLDERS,
  ]
  return folders.map((folder) => join(folder, program)).find(isExecutableFile)
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

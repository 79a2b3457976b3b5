import {resolve} from 'node:path'
import type {Host} from '../host/host.js'
import {openProjectEnvironment, type ProjectEnvironment} from './environment.js'
import {NoProjectError} from './file/errors.js'
import {type ProjectFile, usualNames} from './file/extend.js'
import {findProjectFile} from './file/find.js'
import {readProjectFile} from './file/read.js'

/** Reads the file of the project that the caller stands in, or the file of the option. @throws As `readProjectFile`. */
export async function openProject(host: Host, file: string | undefined): Promise<ProjectFile> {
  const {workingFolder, uid, environment} = host
  const bounds = {uid, home: environment['HOME']}
  const path =
    file === undefined ? await findProjectFile(workingFolder, bounds) : resolve(workingFolder, file)
  return readProjectFile(path, {uid})
}

/** The same; undefined where the caller stands in no project. */
export async function openProjectIfAny(host: Host): Promise<ProjectFile | undefined> {
  try {
    return await openProject(host, undefined)
  } catch (error) {
    if (!(error instanceof NoProjectError)) throw error
    return undefined
  }
}

/** Returns the named environments of a project; without a name its default, else all. */
export async function projectEnvironments(
  host: Host,
  file: ProjectFile,
  names: readonly string[],
): Promise<readonly ProjectEnvironment[]> {
  const tables = names.length === 0 ? usualNames(file) : [...new Set(names)]
  return Promise.all(tables.map((table) => openProjectEnvironment(host, file, table)))
}

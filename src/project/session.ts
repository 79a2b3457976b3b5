import {posix, relative, resolve} from 'node:path'
import type {SessionFields} from '../sandbox/session-options.js'
import type {ProjectEnvironment} from './environment.js'

/** Where the folder of the project is in the environment, if the file does not say. */
const PROJECT_FOLDER = '/src'

/**
 * Returns the options of a session in an environment of a project: its user, variables and volumes, and the folder of the project
 * that the caller stands in.
 *
 * @param typed - Options of the command line, which come after those of the file.
 */
export function projectSession(
  {wish, root}: ProjectEnvironment,
  typed: Readonly<SessionFields>,
  {workingFolder, home}: {readonly workingFolder: string; readonly home: string | undefined},
): SessionFields {
  const {user, env = {}, volumes = [], project = PROJECT_FOLDER} = wish
  const below = relative(root, workingFolder)
  const isInside = below !== '..' && !below.startsWith('../')
  const here = project === false ? undefined : posix.join(project, isInside ? below : '')
  return {
    ...typed,
    user: typed.user ?? user,
    workingFolder: typed.workingFolder ?? here,
    variables: [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...typed.variables],
    volumes: [
      ...(project === false ? [] : [`${root}:${project}`]),
      ...volumes.map(
        ({from, to, readonly}) => `${hostPath(from, {root, home})}:${to}${readonly ? ':ro' : ''}`,
      ),
      ...typed.volumes,
    ],
  }
}

/** A relative path is one of the project; `~` is the user's home folder. */
function hostPath(
  path: string,
  {root, home}: {readonly root: string; readonly home: string | undefined},
): string {
  const absolute = home === undefined ? path : path.replace(/^~(?=\/|$)/, home)
  return resolve(root, absolute)
}

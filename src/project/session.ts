import {posix, relative, resolve} from 'node:path'
import {UsageError} from '../errors.js'
import type {Host} from '../host/host.js'
import type {SessionFields} from '../sandbox/session-options.js'
import type {ProjectEnvironment} from './environment.js'
import {notTrustedError, notUpError} from './errors.js'
import {openProjectIfAny, projectEnvironments} from './open.js'
import {isAllowed, outreachOf} from './trust.js'

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

/** Returns the folders that sessions share: the first one makes them in the environment. */
export function mountPointsOf({
  project = PROJECT_FOLDER,
  volumes = [],
}: ProjectEnvironment['wish']): readonly string[] {
  return [...(project === false ? [] : [project]), ...volumes.map(({to}) => to)]
}

/** A relative path is one of the project; `~` is the user's home folder. */
function hostPath(
  path: string,
  {root, home}: {readonly root: string; readonly home: string | undefined},
): string {
  const absolute = home === undefined ? path : path.replace(/^~(?=\/|$)/, home)
  return resolve(root, absolute)
}

/**
 * Returns the environment of a session, and its options: the named one, else that of the project in which the caller stands.
 *
 * @throws {UsageError} Outside of a project, and where the project has several environments. @throws {@link notUpError}
 */
export async function sessionPlace(
  host: Host,
  name: string | undefined,
  typed: Readonly<SessionFields>,
): Promise<{readonly name: string; readonly fields: Readonly<SessionFields>}> {
  if (name !== undefined) return {name, fields: typed}
  const file = await openProjectIfAny(host)
  if (file === undefined) throw new UsageError('Missing: name of the environment.', ['envs run --help'])
  const environment = onlyOne(await projectEnvironments(host, file, []))
  if (!environment.exists) throw notUpError({name: environment.name})
  const {path} = environment
  if (!isAllowed(host, environment)) throw notTrustedError({path, wishes: outreachOf(environment).wishes})
  const fields = projectSession(environment, typed, {...host, home: host.environment['HOME']})
  return {name: environment.name, fields}
}

/** Returns the environment that a command for one means. @throws {UsageError} */
export function onlyOne(environments: readonly ProjectEnvironment[]): ProjectEnvironment {
  const [first, ...others] = environments
  if (first !== undefined && others.length === 0) return first
  throw new UsageError('The project has several environments, and no default.', [
    'Write into envs.toml, above its first table: default = "NAME"',
  ])
}

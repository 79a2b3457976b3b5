import {writeFile} from 'node:fs/promises'
import {isErrno} from '../host/errno.js'
import type {EnvironmentFacts} from './describe.js'
import {fileExistsError} from './errors.js'

/**
 * Returns the text of an envs.toml that makes an environment like one that is there. Files that the rest does not
 * explain stand there as a comment.
 */
export function projectText({table, image, packages, users, changed}: EnvironmentFacts): string {
  return [
    '# All keys: docs/projects.md',
    'version = 1',
    '',
    `[env.${table}]`,
    `image = ${quoted(image)}`,
    ...(packages.length === 0 ? [] : [`packages = [${packages.map(quoted).join(', ')}]`]),
    ...(users.length === 0
      ? []
      : ['users = [', ...users.map(({name, uid}) => `  {name = ${quoted(name)}, uid = ${uid}},`), ']']),
    ...(changed.length === 0
      ? []
      : [
          '',
          '# These files differ from those of the image and its packages. If the environment needs them, copy them into the project, and',
          '# name each as a file:',
          '# [[env.NAME.files]]',
          '# from = "PATH_IN_THE_PROJECT"',
          '# to = "PATH_IN_THE_ENVIRONMENT"',
          ...changed.map((path) => `#   ${path.replaceAll(/\p{Cc}/gu, '?')}`),
        ]),
    '',
  ].join('\n')
}

/** A basic string of TOML, whose escapes are those of JSON. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

/** Writes a file that is not there yet. @param name - For the message. @throws {@link fileExistsError} */
export async function writeNewFile(path: string, text: string, name: string): Promise<void> {
  try {
    await writeFile(path, text, {flag: 'wx'})
  } catch (error) {
    throw isErrno(error, 'EEXIST') ? fileExistsError({path, name}) : error
  }
}

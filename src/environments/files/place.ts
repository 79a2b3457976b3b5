import {resolve} from 'node:path'
import {UsageError} from '../../errors.js'
import {isEnvironmentName} from '../../store/environments.js'

/** Where files are: in an environment, on the host, or in a tar archive on a standard stream. */
export type Place =
  | {readonly kind: 'guest'; readonly environment: string; readonly path: string; readonly text: string}
  | {readonly kind: 'host'; readonly path: string; readonly text: string}
  | {readonly kind: 'stream'; readonly text: string}

/**
 * Parses `NAME:PATH`, `PATH` or `-`. A path of the host whose first component has a colon is written with `./` in front.
 *
 * @throws {UsageError}
 */
export function parsePlace(text: string, workingFolder: string): Place {
  if (text === '') throw new UsageError('A path is empty.', ['Write NAME:PATH, or a path of the host.'])
  if (text === '-') return {kind: 'stream', text}
  const cut = text.indexOf(':')
  const name = cut === -1 ? '' : text.slice(0, cut)
  if (!isEnvironmentName(name)) return {kind: 'host', path: hostPath(text, workingFolder), text}
  const path = text.slice(cut + 1)
  if (path === '') throw new UsageError(`"${text}" has no path.`, [`All of the home folder: ${name}:.`])
  return {kind: 'guest', environment: name, path, text}
}

/** Keeps a slash or `/.` at the end, which resolving drops. */
function hostPath(text: string, workingFolder: string): string {
  const path = resolve(workingFolder, text)
  if (path === '/') return path
  return /(?:^|\/)\.{1,2}$/.test(text) ? `${path}/.` : text.endsWith('/') ? `${path}/` : path
}

/** Returns whether the contents of a folder are meant, and not the folder: `FOLDER/.` */
export function meansContents({path}: {readonly path: string}): boolean {
  return /(?:^|\/)\.$/.test(path)
}

/** Returns the last component of a path: the name that a copy has in a folder. */
export function baseName({path}: {readonly path: string}): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? ''
}

import {existsSync, statSync} from 'node:fs'
import {isAbsolute, normalize, resolve} from 'node:path'
import {UsageError} from '../errors.js'
import {bytesOfText} from '../host/argv/bytes.js'
import {isErrno} from '../host/errno.js'
import {sessionFailedError} from '../sandbox/errors.js'
import type {Volume} from '../sandbox/session-options.js'
import type {SandboxFeature} from './feature.js'

/** Shares folders and files of the host with one session. @see templates/host/session/volumes.pl */
export const volumes: SandboxFeature = {
  id: 'volumes',
  engines: ['bwrap', 'unshare', 'proot'],
  session({request, ...session}, {wish, workingFolder}) {
    const volumes = wish.volumes.map((text) => parseVolume(text, workingFolder))
    return {...session, request: {...request, volumes}}
  },
  refuse(request, {environment: {name}, engine}) {
    for (const {source} of request.volumes) requireSource(name, source)
    if (engine === 'proot') for (const volume of request.volumes) refuseForProot(name, volume)
  },
}

/** Reads `SOURCE[:TARGET[:ro|rw]]`; TARGET defaults to SOURCE's own absolute path. @throws {UsageError} */
export function parseVolume(text: string, workingFolder: string): Volume {
  const [source = '', target, access = 'rw', ...more] = text.split(':')
  const absoluteSource = resolve(workingFolder, source)
  const absoluteTarget = target ?? absoluteSource
  if (source === '' || more.length > 0 || !isAbsolute(absoluteTarget) || !isAccess(access))
    throw new UsageError(`--volume "${text}" is not valid.`, [
      'Write SOURCE[:TARGET[:ro]] with an absolute TARGET: --volume ./src:/src:ro',
      ...colonSteps(text, workingFolder),
    ])
  // Of mount(8) and of other tools, in place of a third part.
  const options = /,(?:ro|rw|z|Z|U|r?shared|r?slave|r?private|cached|delegated|consistent)$/.exec(
    absoluteTarget,
  )?.[0]
  if (options !== undefined)
    throw new UsageError(`--volume "${text}" is not valid: options come after a colon.`, [
      `Write SOURCE:TARGET or SOURCE:TARGET:ro: --volume ${source}:${absoluteTarget.slice(0, -options.length)}:ro`,
    ])
  const normal = normalize(absoluteTarget)
  if (normal === '/') throw new UsageError(`--volume "${text}" would hide the whole environment.`)
  return {source: absoluteSource, target: normal, access}
}

/** Names the path: the session's own failure could be that of any of its volumes. @throws {@link sessionFailedError} */
function requireSource(name: string, source: string): void {
  try {
    statSync(bytesOfText(source))
  } catch (error) {
    // The session tells of others, such as a folder that may not be entered.
    if (!isErrno(error)) throw error
    if (isErrno(error, 'ENOENT', 'ENOTDIR'))
      throw sessionFailedError(
        {name, reason: `could not share "${source}": no such file or directory`},
        {suggestions: ['Create it first, or share another one.']},
      )
  }
}

function isAccess(text: string): text is Volume['access'] {
  return text === 'ro' || text === 'rw'
}

/** A source with a colon in its path can be given as the working folder. */
function colonSteps(text: string, workingFolder: string): string[] {
  const parts = text.split(':')
  const sources = parts.slice(1).map((_, index) => parts.slice(0, index + 2).join(':'))
  const source = sources.find((each) => existsSync(bytesOfText(resolve(workingFolder, each))))
  return source === undefined
    ? []
    : [`To share "${source}", whose path has a colon: cd to it, and write --volume .:/TARGET`]
}

function refuseForProot(name: string, {source, target, access}: Volume): void {
  if (access === 'ro') {
    throw sessionFailedError(
      {name, reason: `proot cannot share "${source}" read-only`},
      {suggestions: ['Share it writable: leave :ro out.']},
    )
  }
  // proot separates source and target with a colon.
  if (source.includes(':') || target.includes(':') || !existsSync(bytesOfText(source))) {
    throw sessionFailedError(
      {name, reason: `could not share "${source}"`},
      {suggestions: ['Share a folder or file that exists and has no colon in its path.']},
    )
  }
}

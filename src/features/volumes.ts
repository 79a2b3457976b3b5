import {existsSync} from 'node:fs'
import {isAbsolute, normalize, resolve} from 'node:path'
import {UsageError} from '../errors.js'
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
    if (engine === 'proot') for (const volume of request.volumes) refuseForProot(name, volume)
  },
}

/** Reads `SOURCE[:TARGET[:ro|rw]]`; TARGET defaults to SOURCE's own absolute path. @throws {UsageError} */
export function parseVolume(text: string, workingFolder: string): Volume {
  const [source = '', target, access = 'rw', ...more] = text.split(':')
  const absoluteSource = resolve(workingFolder, source)
  const absoluteTarget = target ?? absoluteSource
  if (
    source === '' ||
    more.length > 0 ||
    !isAbsolute(absoluteTarget) ||
    (access !== 'ro' && access !== 'rw')
  ) {
    throw new UsageError(`--volume "${text}" is not valid.`, [
      'Write SOURCE[:TARGET[:ro]] with an absolute TARGET: --volume ./src:/src:ro',
    ])
  }
  const normal = normalize(absoluteTarget)
  if (normal === '/') throw new UsageError(`--volume "${text}" would hide the whole environment.`)
  return {source: absoluteSource, target: normal, access}
}

function refuseForProot(name: string, {source, target, access}: Volume): void {
  if (access === 'ro') {
    throw sessionFailedError(
      {name, reason: `proot cannot share "${source}" read-only`},
      {suggestions: ['Share it writable: leave :ro out.']},
    )
  }
  // proot separates source and target with a colon.
  if (source.includes(':') || target.includes(':') || !existsSync(source)) {
    throw sessionFailedError(
      {name, reason: `could not share "${source}"`},
      {suggestions: ['Share a folder or file that exists and has no colon in its path.']},
    )
  }
}

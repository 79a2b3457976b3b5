import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {type Lock, lockHolders, takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {ensureMountPoints} from '../rootfs/mount-points.js'
import {anchorFiles} from '../sandbox/anchor-state.js'
import {anchorUnreachableError, sessionFailedError} from '../sandbox/errors.js'
import {MOUNT_POINTS, PACKAGES_MOUNT_POINT, RESOLVER_MOUNT_POINT} from '../sandbox/mounts.js'
import {runProotSession} from '../sandbox/proot-session.js'
import type {SessionRequest} from '../sandbox/session-arguments.js'
import {preparePackages} from './package-cache.js'
import type {Environment} from './store.js'
import {filterLoader, toolPath} from './toolbox.js'

type Session = {
  readonly request: SessionRequest
  /** The environment's lock, held shared. */
  readonly lock: Lock
}

/**
 * Runs a command in an environment by proot, which starts nothing that others could join.
 *
 * @returns The guest's exit status.
 * @throws {@link mountPointError} And as `runProotSession`.
 */
export async function runByProot(
  host: Host,
  {name, files}: Environment,
  {request, lock}: Session,
): Promise<number> {
  await ensureMountPoints(files.root, MOUNT_POINTS)
  checkVolumes(name, request)
  const packages = await preparePackages(host.paths, files.resolver)
  const temporaryFolder = join(files.run, 'proot')
  await makeFolders(temporaryFolder, {mode: 0o700})
  const liveness = await takeLock(anchorFiles(files.run).liveness, {mode: 'shared', waitMs: 0})
  // Another command has just started it with a better engine.
  if (liveness === undefined)
    throw anchorUnreachableError(name, await lockHolders(anchorFiles(files.run).liveness))
  const binds = [
    {source: files.resolver, target: RESOLVER_MOUNT_POINT},
    ...(packages === undefined ? [] : [{source: packages, target: PACKAGES_MOUNT_POINT}]),
    ...request.volumes,
  ]
  try {
    const tree = {program: toolPath(host, 'proot'), root: files.root, binds}
    const {architecture} = host
    const loader = filterLoader(host)
    const session = {name, request, tree, lock, liveness, loader, architecture, temporaryFolder}
    return await runProotSession(session)
  } finally {
    liveness.release()
  }
}

function checkVolumes(name: string, {volumes}: SessionRequest): void {
  for (const {source, target, access} of volumes) {
    if (access === 'ro') {
      throw sessionFailedError(
        {name, reason: `proot cannot share "${source}" read-only`},
        {suggestions: ['Share it writable: leave :ro out.']},
      )
    }
    // proot parts the two at a colon.
    if (source.includes(':') || target.includes(':') || !existsSync(source)) {
      throw sessionFailedError(
        {name, reason: `could not share "${source}"`},
        {suggestions: ['Share a folder or file that exists and has no colon in its path.']},
      )
    }
  }
}

import {join} from 'node:path'
import type {SessionContext} from '../../features/feature.js'
import {beforeStart, refuseUnsupported} from '../../features/index.js'
import {makeFolders} from '../../host/files.js'
import {type Lock, lockHolders, takeLock} from '../../host/locks.js'
import {ensureMountPoints} from '../../rootfs/mount-points.js'
import {anchorFiles} from '../../sandbox/anchor-state.js'
import {runProotSession} from '../../sandbox/engines/proot.js'
import {anchorUnreachableError} from '../../sandbox/errors.js'
import {shorterTime} from '../../sandbox/limits/session-words.js'
import {MOUNT_POINTS} from '../../sandbox/mounts.js'
import type {SessionRequest} from '../../sandbox/session-options.js'
import {readGuestTree} from '../../store/mounted-tree.js'
import {filterLoader, toolPath} from '../../store/tools.js'
import {tellOfLimits} from './limits-notice.js'
import {planSpec} from './plan.js'

type ProotSession = {
  readonly request: SessionRequest
  /** The environment's lock, held shared. */
  readonly lock: Lock
  readonly onStarted?: (() => void) | undefined
}

/**
 * Runs a command in an environment with proot, which starts no first process that other sessions could join.
 *
 * @returns The guest's exit status.
 * @throws {@link mountPointError} @throws As `runProotSession`.
 */
export async function runByProot(
  context: SessionContext,
  {request, lock, onStarted}: ProotSession,
): Promise<number> {
  const {host, environment} = context
  const {name, files, record} = environment
  refuseUnsupported(request, {...context, engine: 'proot'})
  await ensureMountPoints(files.root, MOUNT_POINTS)
  await beforeStart('proot', context)
  const tree = await readGuestTree(environment)
  const spec = await planSpec(context, 'proot', {tree, isPreview: false})
  tellOfLimits(context, spec.limits.planned)
  const temporaryFolder = join(files.run, 'proot')
  await makeFolders(temporaryFolder, {mode: 0o700})
  const liveness = await takeLock(anchorFiles(files.run).liveness, {mode: 'shared', waitMs: 0})
  // Another command has just started the environment with a better engine.
  if (liveness === undefined)
    throw anchorUnreachableError(name, await lockHolders(anchorFiles(files.run).liveness))
  try {
    const shown = {program: toolPath(host, 'proot'), spec, volumes: request.volumes}
    const {architecture} = host
    const loader = filterLoader(host)
    const session = {
      name,
      request,
      tree: shown,
      lock,
      liveness,
      loader,
      architecture,
      temporaryFolder,
      onStarted,
      limits: spec.limits.planned?.prefix ?? [],
      timeoutSeconds: shorterTime(request.timeoutSeconds, record.settings.limits?.timeoutSeconds),
      onTimeout: (seconds: number) => context.onNotice?.({kind: 'timeout', name, seconds}),
    }
    return await runProotSession(session)
  } finally {
    liveness.release()
  }
}

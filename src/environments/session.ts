import {errnoOf} from '../errors.js'
import type {Host} from '../host/host.js'
import {templateText} from '../host/paths.js'
import {isMountingRoot} from '../host/privilege.js'
import {isInTerminalForeground} from '../host/proc.js'
import {isInteractive} from '../host/terminal.js'
import {ensureMountPoints} from '../rootfs/mount-points.js'
import {type AnchorPlan, anchorPrefix} from '../sandbox/anchor-start.js'
import {anchorCommand, anchorOptions} from '../sandbox/engines/bwrap.js'
import {namespacePrefix} from '../sandbox/ids/identity.js'
import {guestMounts, MOUNT_POINTS} from '../sandbox/mounts.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {runSession} from '../sandbox/session.js'
import {type SessionRequest, sessionCommand} from '../sandbox/session-arguments.js'
import {openEnvironmentLock, waitForLock} from './locks.js'
import {preparePackages, sharedPackages} from './package-cache.js'
import {refreshResolver} from './resolver.js'
import {planSession, type SessionWish} from './session-request.js'
import {chooseEnvironment, type Environment, findEnvironment} from './store.js'
import {sessionLauncher, toolPath} from './toolbox.js'
import {recordUse} from './usage.js'

/** The host's settings; followed when it is a link, as resolvers do. @see resolv.conf(5) */
const HOST_RESOLVER = '/etc/resolv.conf'

/**
 * Runs a command, or a login shell, in an environment that is started when it is down.
 *
 * @param text - The environment's name; undefined for the only one there is.
 * @returns The guest's exit status.
 */
export async function runInEnvironment(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
): Promise<number> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files, record} = environment
  const request = planRequest(host, environment, wish)
  const lock = await openEnvironmentLock(host.paths, name)
  try {
    await noteSession(host, environment)
    const filter = buildFilter(
      host.architecture,
      filterSets(record.identity, {elidesSyncs: wish.durable === 'never'}),
    )
    return await runSession({
      name,
      request,
      place: {
        launcher: sessionLauncher(host),
        identity: record.identity,
        architecture: host.architecture,
        isMountingRoot: isMountingRoot(host),
      },
      filter,
      lock,
      runFolder: files.run,
      planAnchor: async () => {
        await ensureMountPoints(files.root, MOUNT_POINTS)
        const packages = await preparePackages(host.paths, files.resolver)
        return planAnchor(host, environment, {filter, packages})
      },
      waitForLock: async () => {
        await waitForLock(host.paths, name, lock, 'shared')
        // Who had the lock may have removed or renamed it.
        await findEnvironment(host.paths, name)
      },
    })
  } finally {
    lock.release()
  }
}

/** Done before the lock is held, so that it may meet a folder that is about to go, or gone. */
async function noteSession(host: Host, {name, files}: Environment): Promise<void> {
  try {
    await refreshResolver(files.resolver, HOST_RESOLVER)
    await recordUse(files.folder, host.now())
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') await findEnvironment(host.paths, name)
    throw error
  }
}

/** The command lines that {@link runInEnvironment} would use; nothing is started. */
export type SessionPreview = {
  readonly anchor: {readonly command: readonly string[]; readonly options: readonly string[]}
  readonly session: readonly string[]
}

export async function previewSession(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
): Promise<SessionPreview> {
  const environment = await chooseEnvironment(host.paths, text)
  const plan = await planAnchor(host, environment, {
    filter: new Uint8Array(),
    packages: sharedPackages(host.paths),
  })
  return {
    anchor: {
      command: anchorCommand({
        ...plan,
        prefix: anchorPrefix(plan),
        holder: await templateText('guest/holder.sh'),
      }),
      options: anchorOptions(plan),
    },
    session: sessionCommand(
      {
        launcher: sessionLauncher(host),
        anchor: {pid: 0, startTime: ''},
        identity: environment.record.identity,
        architecture: host.architecture,
        isMountingRoot: isMountingRoot(host),
        parentPid: 0,
      },
      planRequest(host, environment, wish),
    ),
  }
}

function planRequest(host: Host, {name}: Environment, wish: SessionWish): SessionRequest {
  return planSession(name, wish, {
    environment: host.environment,
    workingFolder: host.workingFolder,
    hasTerminal: isInteractive(),
    forwardsInterrupts: !isInTerminalForeground(),
  })
}

async function planAnchor(
  host: Host,
  {name, files, record}: Environment,
  {filter, packages}: {filter: Uint8Array; packages: string | undefined},
): Promise<AnchorPlan> {
  const {identity} = record
  const root = isMountingRoot(host)
  const needsNamespace = root || identity === 'mapped'
  return {
    name,
    hostname: name,
    identity,
    isMountingRoot: root,
    mounts: guestMounts({
      root: files.root,
      resolverFolder: files.resolver,
      packagesFolder: packages,
      isMountingRoot: root,
    }),
    runFolder: files.run,
    bwrap: toolPath(host, 'bwrap'),
    namespacePrefix: needsNamespace ? await namespacePrefix(identity, host) : [],
    filter,
  }
}

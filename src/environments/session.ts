import {errnoOf} from '../errors.js'
import type {Host} from '../host/host.js'
import {templateText} from '../host/paths.js'
import {isMountingRoot} from '../host/privilege.js'
import {isInTerminalForeground} from '../host/proc.js'
import {isInteractive} from '../host/terminal.js'
import {checkMountPoints, ensureMountPoints} from '../rootfs/mount-points.js'
import {type AnchorPlan, anchorPrefix} from '../sandbox/anchor-start.js'
import {anchorCommand, anchorOptions} from '../sandbox/engines/bwrap.js'
import {namespacePrefix} from '../sandbox/ids/identity.js'
import {guestMounts, MOUNT_POINTS, type RootMount} from '../sandbox/mounts.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {runSession} from '../sandbox/session.js'
import {type SessionRequest, sessionCommand} from '../sandbox/session-arguments.js'
import {topLayer} from '../storage/history.js'
import {makeUpper} from '../storage/layer-store.js'
import {readGuestTree, rootMount, treeFolders} from './guest-tree.js'
import {openEnvironmentLock, waitForLock} from './locks.js'
import {preparePackages, sharedPackages} from './package-cache.js'
import {refreshResolver} from './resolver.js'
import {withRestorePoint} from './restore-points.js'
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
        const [root, packages] = await Promise.all([
          prepareRoot(host, environment, wish),
          preparePackages(host.paths, files.resolver),
        ])
        return planAnchor(host, environment, {filter, packages, root})
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
    root: rootMount(host.paths, await readGuestTree(environment)),
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

/** The tree as it has to be before it can be mounted. */
async function prepareRoot(
  host: Host,
  environment: Environment,
  {durable}: Pick<SessionWish, 'durable'>,
): Promise<RootMount> {
  const {paths} = host
  const tree = await readGuestTree(environment)
  if (tree.kind === 'directory') {
    await ensureMountPoints(tree.root, MOUNT_POINTS)
    return rootMount(paths, tree)
  }
  const history = await withRestorePoint(host, environment, {
    history: tree.history,
    isSynced: durable !== 'never',
  })
  const mounted = {kind: 'overlay', history} as const
  await makeUpper(paths.layers, history.upper, {below: topLayer(history.layers)})
  await checkMountPoints(treeFolders(paths, mounted), MOUNT_POINTS)
  return rootMount(paths, mounted)
}

async function planAnchor(
  host: Host,
  {name, files, record}: Environment,
  {filter, packages, root}: {filter: Uint8Array; packages: string | undefined; root: RootMount},
): Promise<AnchorPlan> {
  const {identity} = record
  const isRoot = isMountingRoot(host)
  const needsNamespace = isRoot || identity === 'mapped'
  return {
    name,
    hostname: name,
    identity,
    isMountingRoot: isRoot,
    mounts: guestMounts({
      root,
      resolverFolder: files.resolver,
      packagesFolder: packages,
      isMountingRoot: isRoot,
    }),
    runFolder: files.run,
    bwrap: toolPath(host, 'bwrap'),
    namespacePrefix: needsNamespace ? await namespacePrefix(identity, host) : [],
    filter,
  }
}

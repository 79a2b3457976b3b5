import {join} from 'node:path'
import {ExitCode, errnoOf} from '../errors.js'
import type {Host} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import {isMountingRoot} from '../host/privilege.js'
import {isInTerminalForeground} from '../host/proc.js'
import {sharedPackages} from '../host/shared-packages.js'
import {isInteractive} from '../host/terminal.js'
import {checkMountPoints, ensureMountPoints} from '../rootfs/mount-points.js'
import {type AnchorPlan, anchorWords} from '../sandbox/anchor-start.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {AnchorFailedError} from '../sandbox/errors.js'
import type {JoinPlan} from '../sandbox/join-plan.js'
import {enterMemory, type MemoryHolder} from '../sandbox/memory.js'
import {guestMounts, MOUNT_POINTS, type RootMount} from '../sandbox/mounts.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {planJoin, runSession, type SessionOptions} from '../sandbox/session.js'
import {type SessionRequest, sessionCommand} from '../sandbox/session-arguments.js'
import {topLayer} from '../storage/history.js'
import {makeUpper} from '../storage/layer-store.js'
import type {EmulationPlan} from './emulation.js'
import {anchorEngineFor, engineFor, planEngine} from './engine.js'
import {readGuestTree, rootMount, treeFolders} from './guest-tree.js'
import {joiningParent} from './hand-over.js'
import {openEnvironmentLock, waitForLock} from './locks.js'
import {upperHolder} from './memory-upper.js'
import {preparePackages} from './package-cache.js'
import {runByProot} from './proot.js'
import {refreshResolver} from './resolver.js'
import {withRestorePoint} from './restore-points.js'
import {PASSED_ON, planSession, type SessionWish} from './session-request.js'
import {chooseEnvironment, type Environment, findEnvironment} from './store.js'
import {sessionLauncher, toolPath} from './toolbox.js'
import {readMark} from './tries.js'
import {recordUse} from './usage.js'

/** The host's settings; followed when it is a link, as resolvers do. @see resolv.conf(5) */
const HOST_RESOLVER = '/etc/resolv.conf'

/**
 * Runs a command, or a login shell, in an environment that is started when it is down.
 *
 * @param text - The environment's name; undefined for the only one there is.
 * @returns The guest's exit status.
 */
export function runInEnvironment(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
  plain?: PlainForm,
): Promise<number> {
  const parent = joiningParent(host)
  return withSession(host, text, {wish, plain}, async (options, environment) => {
    if (await isForProot(host, environment, wish)) {
      await options.waitForLock()
      return runByProot(host, environment, options)
    }
    if (parent === undefined) return runSession(options)
    parent.tell(await planJoin(options))
    return ExitCode.ok
  })
}

/** Whether there is nothing to join, and proot is all that could be started. */
async function isForProot(host: Host, environment: Environment, {engine}: SessionWish): Promise<boolean> {
  if (readLiveAnchor(environment.files.run) !== undefined) return false
  const found = await engineFor(host, engine ?? 'auto', environment)
  if (found !== 'proot') return false
  await planEmulationOf(host, environment, found)
  return true
}

/** Loaded only where an environment is of another processor than the host. @throws {EmulationUnavailableError} */
async function planEmulationOf(
  host: Host,
  {files, record}: Pick<Environment, 'files' | 'record'>,
  engine: EngineName,
): Promise<EmulationPlan | undefined> {
  const {identity, architecture} = record
  if (architecture === host.architecture) return undefined
  const {emulationFor, planEmulation} = await import('./emulation.js')
  return planEmulation(host, await emulationFor(host, architecture, {engine, identity}), files.run)
}

/** Of a session that asks for nothing but a command, as the next one may too. */
export type PlainForm = {
  /** Text of the user's settings, as it was before they were read; undefined where there are none. */
  readonly settings: string | undefined
}

async function withSession<Result>(
  host: Host,
  text: string | undefined,
  {wish, plain}: {wish: SessionWish; plain: PlainForm | undefined},
  work: (options: SessionOptions, environment: Environment) => Promise<Result>,
): Promise<Result> {
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
    const place = {
      launcher: sessionLauncher(host),
      identity: record.identity,
      architecture: host.architecture,
      isMountingRoot: isMountingRoot(host),
    }
    const options = {
      name,
      request,
      place,
      filter,
      ...joinPlans({
        ...{place, request, filter, uid: host.uid, folder: files.folder, lock: files.lock},
        plain,
      }),
      lock,
      runFolder: files.run,
      planAnchor: async () => {
        const engine = await anchorEngineFor(host, wish.engine ?? 'auto', environment)
        const [tree, packages] = await Promise.all([
          prepareRoot(host, environment, wish),
          preparePackages(host.paths, files.resolver),
        ])
        return planAnchor(host, environment, {filter, packages, engine, ...tree})
      },
      waitForLock: async () => {
        await waitForLock(host.paths, name, lock, 'shared')
        // Who had the lock may have removed or renamed it.
        await findEnvironment(host.paths, name)
      },
    }
    return await work(options, environment)
  } catch (error) {
    if (!(error instanceof AnchorFailedError)) throw error
    const {explainStart} = await import('./explain-start.js')
    throw await explainStart(host, error, record)
  } finally {
    lock.release()
  }
}

/** Of this session, and of those like it, which have the host's variables from their own surroundings. */
function joinPlans({
  plain,
  ...own
}: Omit<JoinPlan, 'passedOn' | 'settings'> & {plain: PlainForm | undefined}): Pick<
  SessionOptions,
  'plan' | 'keptPlan'
> {
  const isPassedOn = ({name}: {name: string}) => PASSED_ON.some((passed) => passed === name)
  const variables = own.request.variables.filter((variable) => !isPassedOn(variable))
  return {
    plan: {...own, passedOn: [], settings: undefined},
    keptPlan: plain && {...own, ...plain, passedOn: PASSED_ON, request: {...own.request, variables}},
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
  const tree = await readGuestTree(environment)
  const plan = await planAnchor(host, environment, {
    filter: new Uint8Array(),
    packages: sharedPackages(host.paths),
    root: rootMount(host.paths, tree),
    memory: tree.kind === 'overlay' ? tree.holder : undefined,
    engine: await anchorEngineFor(host, wish.engine ?? 'auto', environment),
  })
  return {
    anchor: await anchorWords(plan),
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
): Promise<PreparedRoot> {
  const {paths} = host
  const tree = await readGuestTree(environment)
  if (tree.kind === 'directory') {
    await ensureMountPoints(tree.root, MOUNT_POINTS)
    return {root: rootMount(paths, tree), memory: undefined}
  }
  const history = await withRestorePoint(host, environment, {
    history: tree.history,
    isSynced: durable !== 'never',
  })
  const memory = upperHolder(environment, history)
  const mounted = {kind: 'overlay', history, ...(memory && {holder: memory})} as const
  await makeUpper(paths.layers, history.upper, {below: topLayer(history.layers)})
  await checkMountPoints(treeFolders(paths, mounted), MOUNT_POINTS)
  return {root: rootMount(paths, mounted), memory}
}

type PreparedRoot = {
  readonly root: RootMount
  /** Who holds what is written to, where that is in memory. */
  readonly memory: MemoryHolder | undefined
}

async function planAnchor(
  host: Host,
  {name, files, record}: Environment,
  {
    filter,
    packages,
    root,
    memory,
    engine,
  }: PreparedRoot & {
    readonly filter: Uint8Array
    readonly packages: string | undefined
    readonly engine: AnchorEngineName
  },
): Promise<AnchorPlan> {
  const isRoot = isMountingRoot(host)
  const {
    root: mounted,
    mounts,
    ...planned
  } = await planEngine(host, engine, {
    identity: record.identity,
    emulation: await planEmulationOf(host, {files, record}, engine),
    root,
    runFolder: files.run,
    prefix: memory && enterMemory(memory, toolPath(host, 'nsenter')),
  })
  const isThrowaway = (await readMark(host.paths, name)) !== undefined
  return {
    name,
    hostname: name,
    isMountingRoot: isRoot,
    mounts: [
      ...guestMounts({
        root: mounted,
        resolverFolder: files.resolver,
        packagesFolder: packages,
        isMountingRoot: isRoot,
      }),
      ...mounts,
    ],
    runFolder: files.run,
    ...planned,
    filter,
    restoreRequests:
      root.kind === 'overlay' && !isThrowaway
        ? {
            folder: files.resolver,
            upper: root.upper,
            command: [process.execPath, join(packageRoot(), 'bin', 'envs.js'), 'restore-point', name],
            environment: host.environment,
          }
        : undefined,
  }
}

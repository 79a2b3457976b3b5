import {join} from 'node:path'
import type {Host} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import {checkMountPoints, ensureMountPoints} from '../rootfs/mount-points.js'
import type {AnchorPlan} from '../sandbox/anchor-start.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {enterMemory, type MemoryHolder} from '../sandbox/memory.js'
import {guestMounts, MOUNT_POINTS, type RootMount} from '../sandbox/mounts.js'
import {topLayer} from '../storage/history.js'
import {makeUpper} from '../storage/layer-store.js'
import type {EmulationPlan} from './emulation.js'
import {planEngine} from './engine.js'
import {readGuestTree, rootMount, treeFolders} from './guest-tree.js'
import {upperHolder} from './memory-upper.js'
import {withRestorePoint} from './restore-points.js'
import type {SessionWish} from './session-request.js'
import type {Environment} from './store.js'
import {toolPath} from './toolbox.js'
import {readMark} from './tries.js'

/** The tree as it has to be before it can be mounted. */
export async function prepareRoot(
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

/** What the first process of an environment is started with, for whichever engine. */
export async function planAnchor(
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
    mounts: [
      ...guestMounts({
        root: mounted,
        resolverFolder: files.resolver,
        packagesFolder: packages,
        guestNamespace: planned.guestNamespace,
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

/** Loaded only where an environment is of another processor than the host. @throws {@link emulationUnavailableError} */
export async function planEmulationOf(
  host: Host,
  {files, record}: Pick<Environment, 'files' | 'record'>,
  engine: EngineName,
): Promise<EmulationPlan | undefined> {
  const {identity, architecture} = record
  if (architecture === host.architecture) return undefined
  const {emulationFor, planEmulation} = await import('./emulation.js')
  return planEmulation(host, await emulationFor(host, architecture, {engine, identity}), files.run)
}

import type {SessionContext, StartContext} from '../../features/feature.js'
import {beforeStart, withFeatures} from '../../features/index.js'
import type {Host} from '../../host/host.js'
import {checkMountPoints, ensureMountPoints} from '../../rootfs/mount-points.js'
import type {AnchorPlan} from '../../sandbox/anchor.js'
import type {AnchorEngineName} from '../../sandbox/engines/engine.js'
import {anchorEngine, type EngineName, guestNamespaceOf} from '../../sandbox/engines/select.js'
import {noBootByRootError, noCgroupsError} from '../../sandbox/errors.js'
import {planBoot} from '../../sandbox/init/boot.js'
import {findCgroups} from '../../sandbox/init/cgroups.js'
import {MOUNT_POINTS} from '../../sandbox/mounts.js'
import {filterSets, initFilterSets} from '../../sandbox/seccomp/rules.js'
import {baseSpec, type SandboxSpec} from '../../sandbox/spec.js'
import type {Environment} from '../../store/environments.js'
import {requireSameIds} from '../../store/integrity/id-maps.js'
import {openStack} from '../../store/integrity/lost-layers.js'
import {readGuestTree, rootMount, treeFolders} from '../../store/mounted-tree.js'
import {initOf} from '../../store/record.js'
import {readMark} from '../try/tries.js'
import {fitToEngine} from './engine.js'

/**
 * Prepares a stopped environment on the disk, and returns the plan that starts its first process. The caller holds the
 * environment's lock, so that no other command starts the environment.
 *
 * @throws {MountPointError} @throws As {@link openStack}, {@link planAnchor}, and each feature.
 */
export async function prepareAnchor(start: SessionContext, engine: AnchorEngineName): Promise<AnchorPlan> {
  const {host, environment} = start
  await requireSameIds(host, environment)
  await beforeStart(engine, start)
  const tree = await readGuestTree(environment)
  if (tree.kind === 'directory') await ensureMountPoints(tree.root, MOUNT_POINTS)
  else {
    openStack({name: environment.name, paths: host.paths}, tree.history)
    await checkMountPoints(treeFolders(host.paths, tree), MOUNT_POINTS)
  }
  return planAnchor(start, engine, {tree, isPreview: false})
}

/** Returns the plan that starts a first process, without a change on the disk. @throws {ToolMissingError} @throws {StorageUnavailableError} @throws {IdentityUnavailableError} @throws As each feature. */
export async function planAnchor(
  start: SessionContext,
  engine: AnchorEngineName,
  state: Pick<StartContext, 'tree' | 'isPreview'>,
): Promise<AnchorPlan> {
  const {host, environment} = start
  const {name, files, record} = environment
  const spec = await planSpec(start, engine, state)
  return {
    name,
    engine: anchorEngine(host, engine),
    runFolder: files.run,
    spec: await fitToEngine(host, engine, {identity: record.identity, runFolder: files.run, spec}),
  }
}

/** Returns the sandbox of an environment, with all features that its engine supports. @throws As each feature. */
export async function planSpec(
  {host, environment, wish}: SessionContext,
  engine: EngineName,
  {tree, isPreview}: Pick<StartContext, 'tree' | 'isPreview'>,
): Promise<SandboxSpec> {
  const {name, record} = environment
  const {cache: cacheFolder} = host.paths
  const spec = baseSpec({
    root: rootMount(host.paths, tree),
    hostname: name,
    filterSets: filterSets(record.identity, {elidesSyncs: wish.durable === 'never'}),
    architecture: host.architecture,
    userNamespace: {
      guest: engine === 'proot' ? 'only' : await guestNamespaceOf(host, engine, {cacheFolder}),
      prefix: [],
    },
  })
  const boot =
    initOf(record) === 'systemd' && engine === 'unshare' ? await bootOf(host, environment, spec) : spec
  const isThrowaway = (await readMark(host.paths, name)) !== undefined
  return withFeatures(boot, {host, environment, wish, engine, tree, isPreview, isThrowaway})
}

/** Returns the sandbox of an environment whose systemd is its first process. @throws {@link noCgroupsError} @throws {@link noBootByRootError} */
async function bootOf(
  host: Host,
  {name, files, record}: Environment,
  spec: SandboxSpec,
): Promise<SandboxSpec> {
  // Without a user namespace above the guest's, the mounts and the limit of cgroup namespaces would be the host's.
  if (spec.userNamespace.guest === 'of-root') throw noBootByRootError({name})
  const cgroups = await findCgroups(host)
  if (cgroups === undefined) throw noCgroupsError({name})
  const {identity} = record
  const boot = await planBoot(cgroups, {identity, runFolder: files.run, restarts: 'again'})
  return {...spec, boot, mounts: [], filterSets: initFilterSets(identity, cgroups.kind)}
}

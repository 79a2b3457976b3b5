import {join} from 'node:path'
import type {FetchedPackage} from '../archive/download-packages.js'
import type {ArchiveEvent, PackagePlan} from '../archive/plan.js'
import {type Emulation, withEmulation} from '../features/emulation.js'
import type {Lock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {ensureMountPoints} from '../rootfs/mount-points.js'
import {anchorEngine, type EngineName, guestNamespaceOf} from '../sandbox/engines/choice.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {runLoneScript, withoutNetwork} from '../sandbox/lone-script.js'
import {MOUNT_POINTS, plainRoot, RESOLVER_MOUNT_POINT} from '../sandbox/mounts.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {baseSpec, type SandboxSpec} from '../sandbox/spec.js'
import {bootstrapFailure, findWrong} from './bootstrap-check.js'
import {bootstrapUnsupportedError} from './bootstrap-errors.js'
import {configureScript, readConfigureLine} from './configure-script.js'

export type BootstrapEvent =
  | ArchiveEvent
  | {readonly stage: 'unpack'; readonly count: number; readonly totalCount: number; readonly bytes: number}
  | {readonly stage: 'configure'; readonly count: number; readonly totalCount: number}
  | {readonly stage: 'pack'; readonly bytes: number}

/** Where and how a tree is made. */
export type BootstrapPlace = {
  readonly identity: Identity
  readonly engine: EngineName
  /** Of its programs; undefined where the host runs them as they are. */
  readonly emulation: Emulation | undefined
  /** Of the layers, held: nobody takes away what is made among them. */
  readonly lock: Lock
}

type Configuration = {
  readonly plan: PackagePlan
  /** Packages that dpkg itself installs. */
  readonly others: readonly FetchedPackage[]
  /** Where those are; an empty folder where there are none. */
  readonly packagesFolder: string
  /** The image's. */
  readonly name: string
  readonly root: string
  readonly place: BootstrapPlace
  /** A folder for what is needed meanwhile. */
  readonly scratch: string
  readonly signal: AbortSignal
  readonly onEvent: (event: BootstrapEvent) => void
}

/**
 * Has dpkg configure what was unpacked and install the others, in a sandbox without network.
 *
 * @throws {BootstrapFailedError} With the end of what was said in there. @throws {@link bootstrapUnsupportedError}
 */
export async function configureTree(
  host: Host,
  {plan, others, packagesFolder, name, root, place, scratch, signal, onEvent}: Configuration,
): Promise<void> {
  const {engine, lock} = place
  if (engine === 'proot') throw bootstrapUnsupportedError({name, engine})
  await ensureMountPoints(root, MOUNT_POINTS)
  const installed = new Set<string>()
  let hasEnded = false
  const onLine = (line: string) => {
    const told = readConfigureLine(line)
    if (told?.kind === 'installed') installed.add(told.name)
    hasEnded ||= told?.kind === 'end' && told.isWell
    onEvent({stage: 'configure', count: installed.size, totalCount: plan.packages.length})
  }
  const log = join(scratch, 'log')
  await runLoneScript(
    {
      engine: anchorEngine(host, engine),
      spec: await configurationSpec(host, engine, {plan, root, packagesFolder, place, scratch}),
      stage: scratch,
      script: await configureScript({epoch: secondsOf(plan), root, others}),
      lock,
      log,
    },
    {onLine, signal},
  )
  const wrong = hasEnded ? findWrong(root, plan) : undefined
  if (hasEnded && wrong === undefined) return
  const reason =
    wrong === undefined ? 'its packages could not be configured' : `${wrong} is not installed as it should be`
  throw await bootstrapFailure(name, reason, {log, cacheFolder: host.paths.cache})
}

async function configurationSpec(
  host: Host,
  engine: AnchorEngineName,
  {
    plan,
    root,
    packagesFolder,
    place: {identity, emulation},
    scratch,
  }: Pick<Configuration, 'plan' | 'root' | 'packagesFolder' | 'place' | 'scratch'>,
): Promise<SandboxSpec> {
  const spec = baseSpec({
    root: plainRoot(root),
    hostname: plan.release.codename,
    filterSets: filterSets(identity, {elidesSyncs: true}),
    architecture: host.architecture,
    userNamespace: {
      guest: await guestNamespaceOf(host, engine, {cacheFolder: host.paths.cache}),
      prefix: await namespacePrefix(identity, host),
    },
  })
  const unshare = host.which('unshare')
  const setup = unshare === undefined ? [] : [withoutNetwork(unshare)]
  // In the resolver's place, for there is nothing to resolve: the packages that dpkg is to install.
  const packages = {kind: 'bind', from: packagesFolder, at: RESOLVER_MOUNT_POINT, access: 'ro'} as const
  const emulated = await withEmulation(
    {...spec, mounts: [...spec.mounts, packages]},
    {
      host,
      emulation,
      folder: scratch,
    },
  )
  return {...emulated, setup: [...emulated.setup, ...setup]}
}

/** When the newest of the releases was made, in seconds: the time of all that is made here. */
export function secondsOf({date}: Pick<PackagePlan, 'date'>): number {
  return Math.floor(date.getTime() / 1000)
}

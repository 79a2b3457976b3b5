import {join} from 'node:path'
import type {FetchedPackage} from '../archive/download-packages.js'
import type {ArchiveEvent, PackagePlan} from '../archive/plan.js'
import type {Lock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {ensureMountPoints} from '../rootfs/mount-points.js'
import {
  anchorEngine,
  type EngineName,
  guestNamespaceOf,
  guestNamespaceWords,
} from '../sandbox/engines/choice.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {runLoneScript} from '../sandbox/lone-script.js'
import {guestMounts, MOUNT_POINTS, plainRoot} from '../sandbox/mounts.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {bootstrapFailure, findWrong} from './bootstrap-check.js'
import {bootstrapUnsupportedError} from './bootstrap-errors.js'
import {configureScript, readConfigureLine} from './configure-script.js'
import {type Emulation, planEmulation} from './emulation.js'

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
  const {identity, engine, emulation, lock} = place
  if (engine === 'proot') throw bootstrapUnsupportedError({name, engine})
  await ensureMountPoints(root, MOUNT_POINTS)
  const installed = new Set<string>()
  let hasEnded = false
  const guestNamespace = await guestNamespaceOf(host, engine, {cacheFolder: host.paths.cache})
  const onLine = (line: string) => {
    const told = readConfigureLine(line)
    if (told?.kind === 'installed') installed.add(told.name)
    hasEnded ||= told?.kind === 'end' && told.isWell
    onEvent({stage: 'configure', count: installed.size, totalCount: plan.packages.length})
  }
  const log = join(scratch, 'log')
  const emulated = await planEmulation(host, emulation, scratch)
  await runLoneScript(
    {
      engine: anchorEngine(host, engine),
      filter: buildFilter(host.architecture, filterSets(identity, {elidesSyncs: true})),
      hostname: plan.release.codename,
      // In the resolver's place, for there is nothing to resolve: the packages that dpkg is to install.
      mounts: [
        ...guestMounts({
          root: plainRoot(root),
          resolverFolder: packagesFolder,
          packagesFolder: undefined,
          guestNamespace,
        }),
        ...emulated.mounts,
      ],
      guestNamespace,
      namespacePrefix: [
        ...(await namespacePrefix(identity, host)),
        ...emulated.words,
        ...guestNamespaceWords(host, guestNamespace),
      ],
      stage: scratch,
      script: await configureScript({epoch: secondsOf(plan), root, others}),
      unshare: host.which('unshare'),
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

/** When the newest of the releases was made, in seconds: the time of all that is made here. */
export function secondsOf({date}: Pick<PackagePlan, 'date'>): number {
  return Math.floor(date.getTime() / 1000)
}

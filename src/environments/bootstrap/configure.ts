import {copyFile, open} from 'node:fs/promises'
import {basename, join} from 'node:path'
import type {ArchiveEvent, PackagePlan} from '../../apt/context.js'
import type {FetchedPackage} from '../../apt/download.js'
import type {EnvsError} from '../../errors.js'
import {type Emulation, withEmulation} from '../../features/emulation.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {templateText} from '../../host/paths.js'
import {openTreeView} from '../../rootfs/fixes/tree-view.js'
import {readInstalledPackages} from '../../rootfs/installed-packages.js'
import {ensureMountPoints} from '../../rootfs/mount-points.js'
import type {AnchorEngineName} from '../../sandbox/engines/engine.js'
import {anchorEngine, type EngineName, guestNamespaceOf} from '../../sandbox/engines/select.js'
import {type Identity, namespacePrefix} from '../../sandbox/identity.js'
import {MOUNT_POINTS, plainRoot, RESOLVER_MOUNT_POINT} from '../../sandbox/mounts.js'
import {runLoneScript, withoutNetwork} from '../../sandbox/script.js'
import {filterSets} from '../../sandbox/seccomp/rules.js'
import {baseSpec, type SandboxSpec} from '../../sandbox/spec.js'
import {bootstrapFailedError, bootstrapUnsupportedError} from './request.js'

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

const LAST_BYTES = 2048
const LAST_LINES = 8

/** The first package that dpkg does not have in a tree as the plan has it; undefined where all is well. */
function findWrong(root: string, {packages}: Pick<PackagePlan, 'packages'>): string | undefined {
  const installed = new Map(
    (readInstalledPackages(root) ?? []).map(({name, version}) => [name, version] as const),
  )
  return packages.find(({name, version}) => installed.get(name) !== version)?.name
}

/**
 * Why an image could not be made, with the last that was said.
 *
 * @param facts.log - All that was said; it is copied to where it outlives the tree.
 */
async function bootstrapFailure(
  name: string,
  reason: string,
  {log, cacheFolder}: {log: string; cacheFolder: string},
): Promise<EnvsError> {
  await makeFolders(cacheFolder, {mode: 0o700})
  const kept = join(cacheFolder, 'bootstrap.log')
  await copyFile(log, kept)
  const lastLines = await endOf(log)
  return bootstrapFailedError({name, reason, log: kept, lastLines: lastLines === '' ? '' : `\n${lastLines}`})
}

async function endOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const {size} = await file.stat()
    const bytes = Buffer.alloc(Math.min(size, LAST_BYTES))
    await file.read(bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8').trim().split('\n').slice(-LAST_LINES).join('\n')
  } finally {
    await file.close()
  }
}

type Wish = {
  /** Seconds since 1970: for what would else write down the time. @see https://reproducible-builds.org/specs/source-date-epoch/ */
  readonly epoch: number
  readonly root: string
  /** Packages that were not unpacked yet. */
  readonly others: readonly FetchedPackage[]
}

const INFO = 'var/lib/dpkg/info'
const PREINST = '.preinst'
/** What dpkg's files of a package are called; nothing of it means anything to a shell. */
const NAME = /^[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?$/
/** These make accounts and links that the others need. */
const FIRST = ['base-passwd', 'base-files']

/** The text of templates/guest/configure-packages.sh with what it is to do, for the tree in `root`. */
async function configureScript({epoch, root, others}: Wish): Promise<string> {
  const debs = others.map(({path}) => `${RESOLVER_MOUNT_POINT}/${basename(path)}`)
  return [
    `epoch=${epoch}`,
    `preinst='${preinstsIn(root).join(' ')}'`,
    `debs='${debs.join(' ')}'`,
    await templateText('guest/configure-packages.sh'),
  ].join('\n')
}

function preinstsIn(root: string): string[] {
  const names = openTreeView(root, {mostNames: 100_000})
    .list(INFO)
    .filter((file) => file.endsWith(PREINST))
    .map((file) => file.slice(0, -PREINST.length))
    .filter((name) => NAME.test(name))
  const rank = (name: string) => (FIRST.indexOf(name) + FIRST.length + 1) % (FIRST.length + 1)
  return names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

/** What the script tells of itself: a hostile guest's word. */
export type ConfigureLine =
  | {readonly kind: 'installed'; readonly name: string}
  | {readonly kind: 'end'; readonly isWell: boolean}

/** @see dpkg(1), "--status-fd". */
export function readConfigureLine(line: string): ConfigureLine | undefined {
  const status = /^end (?<status>\d+)$/.exec(line)?.groups?.['status']
  if (status !== undefined) return {kind: 'end', isWell: status === '0'}
  const name = /^status: (?<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?: installed$/.exec(line)?.groups?.[
    'name'
  ]
  return name === undefined ? undefined : {kind: 'installed', name}
}

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

/** The identity, engine and lock that a tree is made with. */
export type BootstrapPlace = {
  readonly identity: Identity
  readonly engine: EngineName
  /** Runs the programs of the tree; undefined if the host runs them natively. */
  readonly emulation: Emulation | undefined
  /** The lock of the layers, held: no other command removes a new folder among the layers. */
  readonly lock: Lock
}

type Configuration = {
  readonly plan: PackagePlan
  /** Packages that dpkg unpacks and configures. */
  readonly others: readonly FetchedPackage[]
  /** The folder of those packages; an empty folder if there are none. */
  readonly packagesFolder: string
  /** The name of the image. */
  readonly name: string
  readonly root: string
  readonly place: BootstrapPlace
  /** A folder for temporary files. */
  readonly scratch: string
  readonly signal: AbortSignal
  readonly onEvent: (event: BootstrapEvent) => void
}

/**
 * Runs dpkg in a sandbox without network: dpkg configures the unpacked packages and installs the others.
 *
 * @throws {@link bootstrapFailedError} With the last lines of the output. @throws {@link bootstrapUnsupportedError}
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
    const event = readConfigureLine(line)
    if (event?.kind === 'installed') installed.add(event.name)
    hasEnded ||= event?.kind === 'end' && event.hasSucceeded
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
  const wrong = hasEnded ? findUnmetPackage(root, plan) : undefined
  if (hasEnded && wrong === undefined) return
  const reason =
    wrong === undefined
      ? 'its packages could not be configured'
      : `${wrong} is not installed in the planned version`
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
  // The mount point of the resolver is free, because there is no network: it gets the packages that dpkg installs.
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

/** Returns the date of the newest Release in seconds since 1970: the mtime of all files that are made here. */
export function secondsOf({date}: Pick<PackagePlan, 'date'>): number {
  return Math.floor(date.getTime() / 1000)
}

/** Returns the first package that dpkg does not list in the planned version; undefined if all are installed. */
function findUnmetPackage(root: string, {packages}: Pick<PackagePlan, 'packages'>): string | undefined {
  const installed = new Map(
    (readInstalledPackages(root) ?? []).map(({name, version}) => [name, version] as const),
  )
  return packages.find(({name, version}) => installed.get(name) !== version)?.name
}

/**
 * Returns the error for an image that could not be made, with the last lines of the log.
 *
 * @param facts.log - The complete output; it is copied to the cache folder, where it outlives the tree.
 */
async function bootstrapFailure(
  name: string,
  reason: string,
  {log, cacheFolder}: {log: string; cacheFolder: string},
): Promise<EnvsError> {
  await makeFolders(cacheFolder, {mode: 0o700})
  const kept = join(cacheFolder, 'bootstrap.log')
  await copyFile(log, kept)
  const lastLines = await readLastLines(log)
  return bootstrapFailedError({name, reason, log: kept, lastLines: lastLines === '' ? '' : `\n${lastLines}`})
}

const LAST_BYTES = 2048
const LAST_LINES = 8

async function readLastLines(path: string): Promise<string> {
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

type ConfigureScriptOptions = {
  /** Seconds since 1970, for programs that would otherwise record the current time. @see https://reproducible-builds.org/specs/source-date-epoch/ */
  readonly epoch: number
  readonly root: string
  /** Packages that dpkg still has to unpack. */
  readonly others: readonly FetchedPackage[]
}

const INFO = 'var/lib/dpkg/info'
const PREINST = '.preinst'
/** The names of dpkg's files of a package; none of the characters is special to a shell. */
const NAME = /^[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?$/
/** Run first, because they make accounts and symlinks that the others need. */
const FIRST = ['base-passwd', 'base-files']

/** Returns templates/guest/configure-packages.sh with the variables that it reads, for the tree in `root`. */
async function configureScript({epoch, root, others}: ConfigureScriptOptions): Promise<string> {
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

/** A status line of the script. The guest may be hostile, so the line is not trusted. */
export type ConfigureLine =
  | {readonly kind: 'installed'; readonly name: string}
  | {readonly kind: 'end'; readonly hasSucceeded: boolean}

/** Parses a status line; undefined for any other line. @see dpkg(1), "--status-fd". */
export function readConfigureLine(line: string): ConfigureLine | undefined {
  const status = /^end (?<status>\d+)$/.exec(line)?.groups?.['status']
  if (status !== undefined) return {kind: 'end', hasSucceeded: status === '0'}
  const name = /^status: (?<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?: installed$/.exec(line)?.groups?.[
    'name'
  ]
  return name === undefined ? undefined : {kind: 'installed', name}
}

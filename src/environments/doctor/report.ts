import {hostMirrors} from '../../apt/mirrors.js'
import type {SettingName} from '../../config/schema.js'
import type {Settings} from '../../config/settings.js'
import {canRun, examineHost, inOrder} from '../../doctor/index.js'
import {judgeClock, judgeMirrors, observeMirrors} from '../../doctor/network.js'
import {type Ticket, ticketOf} from '../../doctor/remedies.js'
import {EnvsError, errnoOf} from '../../errors.js'
import {featureChecks} from '../../features/index.js'
import {gapsOnHost} from '../../features/isolation-gaps.js'
import {type Check, type CheckId, fail, pass, warn} from '../../host/check.js'
import type {Host} from '../../host/host.js'
import {readOsRelease} from '../../host/os-release.js'
import {isMountingRoot} from '../../host/proc.js'
import {ENGINES, type EngineName, tryEngines} from '../../sandbox/engines/select.js'
import type {Identity} from '../../sandbox/identity.js'
import {canBeMounted} from '../../store/overlay-mount.js'
import {findStoreLeftovers, type StoreLeftovers} from '../repair.js'
import {type EngineSetting, findOverlayMounter, identityFor, type OverlayMounter} from '../session/engine.js'

/** What the doctor has to say of a host. */
export type HostReport = {
  /** Returns whether environments can run at all. */
  readonly canRun: boolean
  /** What they are started with; null where nothing works. */
  readonly engine: EngineName | null
  readonly checks: readonly Check[]
  /** What to send to an administrator; null where there is nothing to ask for. */
  readonly ticket: Ticket | null
}

/** The servers that images and packages come from. */
const MIRRORS = [
  'mirrors.ubuntuBase',
  'mirrors.ubuntuCloud',
  'mirrors.lxc',
  'mirrors.ubuntuArchive',
  'mirrors.debianArchive',
] as const satisfies readonly SettingName[]

/**
 * Looks at all that envs needs of the host, tries every engine, and asks the servers. What one engine lacks is no
 * failure where another stands in for it.
 */
export async function examineHostAndEngines(host: Host, settings: Settings): Promise<HostReport> {
  const setting = settings.value('engine')
  const mirrors = MIRRORS.flatMap((name) => settings.value(name) ?? [])
  const [found, forFeatures, verdicts, servers] = await Promise.all([
    examineHost(host),
    featureChecks(host),
    tryEngines(host, {cacheFolder: host.paths.cache}),
    observeMirrors(host, oneEachServer([...mirrors, ...(await archiveMirrors())])),
  ])
  const engine = engineInForce(verdicts, setting)
  const identity = engine === undefined ? 'emulated' : await identityFor(engine, 'auto', host)
  const overlay = await checkOverlay(host, {engine, identity})
  const checks = inOrder([
    judgeEngines(verdicts, setting, {
      hasSecondNamespace: !(await gapsOnHost(host, engine ?? null)).includes('own-mounts'),
    }),
    ...found.map((check) => soften(check, {engine, hasLayers: overlay.status === 'pass'})),
    ...forFeatures,
    overlay,
    await checkRemains(host),
    judgeMirrors(servers),
    judgeClock({timeMs: host.now().getTime(), servers}),
  ])
  return {canRun: canRun(checks), engine: engine ?? null, checks, ticket: ticketOf(checks) ?? null}
}

async function checkRemains(host: Host): Promise<Check> {
  try {
    return judgeRemains(await findStoreLeftovers(host))
  } catch (error) {
    const reason = error instanceof EnvsError ? error.message : errnoOf(error)
    if (reason === undefined) throw error
    return warn('leftovers', {
      evidence: `Could not look for leftovers: ${reason}`,
      cost: 'None, unless a command was killed.',
      remedy: 'See the checks of the disk and of the programs of util-linux.',
    })
  }
}

/** Those of the host's own distribution. */
async function archiveMirrors(): Promise<string[]> {
  const {id} = await readOsRelease()
  if (id !== 'debian' && id !== 'ubuntu') return []
  const {main} = await hostMirrors(id, '/etc/apt')
  return main === undefined ? [] : [main]
}

function oneEachServer(urls: readonly string[]): string[] {
  return [...new Map(urls.map((url) => [new URL(url).origin, url])).values()]
}

/** What a trial of each engine came to. */
export type Verdicts = Readonly<Record<EngineName, boolean>>

/** The engine in force; undefined where there is none. */
export function engineInForce(verdicts: Verdicts, setting: EngineSetting): EngineName | undefined {
  return ENGINES.find((name) => verdicts[name] && (setting === 'auto' || setting === name))
}

/** Which engine is in force, as far as trials tell. */
export function judgeEngines(
  verdicts: Verdicts,
  setting: EngineSetting,
  {hasSecondNamespace}: {hasSecondNamespace: boolean},
): Check {
  const working = ENGINES.filter((name) => verdicts[name])
  const evidence = `${working.length === 0 ? 'None works' : `${listed(working)} ${working.length === 1 ? 'works' : 'work'}`} here${setting === 'auto' ? '' : `; ${setting} is asked for`}.`
  const inForce = engineInForce(verdicts, setting)
  if (inForce === undefined) {
    return fail('engine', {
      evidence,
      cost: 'envs cannot enter any environment.',
      remedy:
        setting === 'auto'
          ? 'See the other checks. Without the help of an administrator, use proot, which needs no privileges: envs doctor --fetch proot'
          : 'Leave the setting engine (ENVS_ENGINE) at auto, or see the other checks.',
    })
  }
  if (inForce !== 'proot') {
    const started = `${evidence} Environments are started with ${inForce}`
    if (hasSecondNamespace) return pass('engine', `${started}.`)
    return warn('engine', {
      evidence: `${started} in one user namespace: a trial with a second one failed.`,
      cost: 'Root in an environment can uncover parts of /sys and mount your control groups, and the processes of an environment are not accounted together.',
      remedy: 'See the checks of user namespaces and AppArmor: their remedies remove this restriction too.',
    })
  }
  return warn('engine', {
    evidence: `${evidence} Environments are run by proot.`,
    cost: 'Environments are slower, their programs can access all your files, services end with their session, and there are no layers, snapshots, other users or hostname.',
    remedy:
      setting === 'proot'
        ? 'Leave the setting engine (ENVS_ENGINE) at auto.'
        : 'See the check of user namespaces.',
  })
}

/** Checks that tell why an engine does not work: no failure where one works all the same. */
const EXPLAINING: ReadonlySet<CheckId> = new Set([
  ...(['user-namespaces', 'apparmor', 'proc', 'kernel', 'bubblewrap'] as const),
])

/** A check in the light of what was tried: what something else makes up for is no failure. */
export function soften(
  check: Check,
  {engine, hasLayers}: {engine: EngineName | undefined; hasLayers: boolean},
): Check {
  if (check.status !== 'fail') return check
  if (check.id === 'execution' && hasLayers)
    return {
      ...check,
      status: 'warn',
      cost: 'Only environments with the storage overlay can be entered, not those with the storage directory.',
    }
  if (engine === undefined || !EXPLAINING.has(check.id)) return check
  const cost =
    engine === 'proot'
      ? 'Environments are run by proot instead: they are slower, and have no lasting services, snapshots or users of their own.'
      : `Environments are started with ${engine} instead.`
  return {...check, status: 'warn', cost}
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** What a trial of layers came to. */
export type OverlayFacts = {
  /** Undefined where nothing can be started at all. */
  readonly engine: EngineName | undefined
  /** Undefined where a trial of it failed, or could not be made. */
  readonly way: OverlayMounter | undefined
  /** What kept the trial from being made. */
  readonly obstacle: 'root' | 'path' | string | undefined
}

/** Stacks layers for real, in the store. */
async function checkOverlay(
  host: Host,
  {engine, identity}: {engine: EngineName | undefined; identity: Identity},
): Promise<Check> {
  return judgeOverlay({engine, ...(await observe(host, {engine, identity}))})
}

export function judgeOverlay({engine, way, obstacle}: OverlayFacts): Check {
  if (way === 'engine') return pass('overlay', `${engine} mounts layers.`)
  if (way === 'before') return pass('overlay', 'Layers are mounted before the engine starts.')
  return warn('overlay', {
    evidence: describe({engine, obstacle}),
    cost: 'Each environment is a complete copy of its image (storage directory): there are no snapshots, and copies take time and space.',
    remedy:
      obstacle === undefined
        ? 'Use Linux 5.11 or newer, and a file system that overlayfs can write to: set ENVS_HOME to a folder on a local disk.'
        : 'See the other checks.',
  })
}

function describe({engine, obstacle}: Pick<OverlayFacts, 'engine' | 'obstacle'>): string {
  if (engine === undefined) return 'Not tried: no engine works.'
  if (engine === 'proot') return 'proot has no layers.'
  if (obstacle === 'root') return 'Root has no layers: the mounts of the host are locked in its environments.'
  if (obstacle === 'path') return 'The path of the store has a character that overlayfs does not take.'
  return obstacle === undefined ? 'A trial failed.' : `A trial mount failed: ${obstacle}.`
}

async function observe(
  host: Host,
  {engine, identity}: {engine: EngineName | undefined; identity: Identity},
): Promise<Pick<OverlayFacts, 'way' | 'obstacle'>> {
  const none = (obstacle: OverlayFacts['obstacle']) => ({way: undefined, obstacle})
  if (engine === undefined || engine === 'proot') return none('engine')
  if (isMountingRoot(host)) return none('root')
  if (!canBeMounted(host.paths.layers)) return none('path')
  try {
    return {way: await findOverlayMounter(host, identity, engine), obstacle: undefined}
  } catch (error) {
    if (error instanceof EnvsError) return none(error.code)
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return none(errno)
  }
}

/** What killed commands left is taken away by the next command that changes something; what lives on is not. */
export function judgeRemains({folders, layers, orphans}: StoreLeftovers): Check {
  const seen = [
    ...(folders > 0 ? [`${folders} incomplete folders`] : []),
    ...(layers > 0 ? [`${layers} unused layers`] : []),
    ...orphans.map(({name, holders}) => {
      const pids = holders.map(({pid}) => pid)
      const who = pids.length === 0 ? 'a process that cannot be seen from here' : `process ${pids.join(', ')}`
      return `${who} holds the lock of ${name}, whose first process has ended`
    }),
  ]
  if (seen.length === 0) return pass('leftovers', 'None.')
  return warn('leftovers', {
    evidence: `${seen.join('; ')}.`,
    cost: orphans.length > 0 ? 'A locked environment cannot be started.' : 'They take room.',
    remedy: 'Remove the leftovers: envs doctor --repair',
  })
}

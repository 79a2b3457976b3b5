import {hostMirrors} from '../../apt/mirrors.js'
import type {SettingName} from '../../config/schema.js'
import type {Settings} from '../../config/settings.js'
import {type CheckId, canRun, examineHost, type HostCheck, inOrder} from '../../doctor/index.js'
import {judgeClock, judgeMirrors, observeMirrors} from '../../doctor/network.js'
import {type Ticket, ticketOf} from '../../doctor/remedies.js'
import {EnvsError, errnoOf} from '../../errors.js'
import {featureChecks} from '../../features/index.js'
import {gapsOnHost} from '../../features/isolation-gaps.js'
import {type Check, fail, pass, warn} from '../../host/check.js'
import type {Host} from '../../host/host.js'
import {readOsRelease} from '../../host/machine/os-release.js'
import {isMountingRoot} from '../../host/machine/proc.js'
import {forgetTrials} from '../../host/trials.js'
import {ENGINES, type EngineName, type EngineVerdicts, tryEngines} from '../../sandbox/engines/select.js'
import type {Identity} from '../../sandbox/identity.js'
import {canBeMounted} from '../../store/overlay-mount.js'
import {findStoreLeftovers, type StoreLeftovers} from '../repair.js'
import {type EngineSetting, findOverlayMounter, identityFor, type OverlayMounter} from '../session/engine.js'

/** The result of examining a host. */
export type HostReport = {
  /** Whether any environment can run. */
  readonly canRun: boolean
  /** The engine in use; null if none works. */
  readonly engine: EngineName | null
  readonly checks: readonly HostCheck[]
  /** The text for an administrator; null if nothing has to be changed. */
  readonly ticket: Ticket | null
}

/** The settings of the servers for images and packages. */
const MIRRORS = [
  'mirrors.ubuntuBase',
  'mirrors.ubuntuCloud',
  'mirrors.lxc',
  'mirrors.ubuntuArchive',
  'mirrors.debianArchive',
] as const satisfies readonly SettingName[]

const LEFTOVERS = {id: 'leftovers', title: 'Leftovers'} as const

/**
 * Checks everything that envs needs of the host, tries every engine, and contacts the servers. A check that only explains
 * why one engine fails is a warning if another engine works.
 *
 * Forgets all that other commands remember of their trials, so the report and the next command rest on new ones.
 */
export async function examineHostAndEngines(host: Host, settings: Settings): Promise<HostReport> {
  const setting = settings.value('engine')
  const mirrors = MIRRORS.flatMap((name) => settings.value(name) ?? [])
  await forgetTrials(host.paths.cache)
  const [found, forFeatures, {verdicts}, servers] = await Promise.all([
    examineHost(host),
    featureChecks(host),
    tryEngines(host, {cacheFolder: host.paths.cache}),
    observeMirrors(host, oneUrlPerOrigin([...mirrors, ...(await archiveMirrors())])),
  ])
  const engine = engineInForce(verdicts, setting)
  const identity = engine === undefined ? 'emulated' : await identityFor(engine, 'auto', host)
  const overlay = await checkOverlay(host, {engine, identity})
  const checks = inOrder([
    judgeEngines(verdicts, setting, {
      hasSecondNamespace: !(await gapsOnHost(host, engine ?? null)).includes('own-mounts'),
      hasProot: host.which('proot') !== undefined,
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

async function checkRemains(host: Host): Promise<Check<'leftovers'>> {
  try {
    return judgeRemains(await findStoreLeftovers(host))
  } catch (error) {
    const reason = error instanceof EnvsError ? error.message : errnoOf(error)
    if (reason === undefined) throw error
    return warn(LEFTOVERS, {
      evidence: `Could not look for leftovers: ${reason}`,
      cost: 'None, unless a command was killed.',
      remedy: 'See the checks of the disk and of the programs of util-linux.',
    })
  }
}

/** Returns the APT mirror of the host's own distribution. */
async function archiveMirrors(): Promise<string[]> {
  const {id} = await readOsRelease()
  if (id !== 'debian' && id !== 'ubuntu') return []
  const {main} = await hostMirrors(id, '/etc/apt')
  return main === undefined ? [] : [main]
}

function oneUrlPerOrigin(urls: readonly string[]): string[] {
  return [...new Map(urls.map((url) => [new URL(url).origin, url])).values()]
}

/** Returns the engine that the setting and the trials select; undefined if none works. */
export function engineInForce(verdicts: EngineVerdicts, setting: EngineSetting): EngineName | undefined {
  return ENGINES.find((name) => verdicts[name] && (setting === 'auto' || setting === name))
}

/** Facts beside the trials of the engines. */
export type EngineFacts = {
  /** Whether the engine in force gives guests a user namespace below that of their mounts. */
  readonly hasSecondNamespace: boolean
  /** Whether proot is installed, whether it works or not. */
  readonly hasProot: boolean
}

const FETCH_PROOT =
  'Without the help of an administrator, use proot, which needs no privileges: envs doctor --fetch proot'

/** Judges the trials of the engines. */
export function judgeEngines(
  verdicts: EngineVerdicts,
  setting: EngineSetting,
  {hasSecondNamespace, hasProot}: EngineFacts,
): Check<'engine'> {
  const working = ENGINES.filter((name) => verdicts[name])
  const selected = `; the setting engine selects ${setting}${setting === 'proot' && !hasProot ? ', which was not found' : ''}`
  const evidence = `${working.length === 0 ? 'No engine works' : `${listed(working)} ${working.length === 1 ? 'works' : 'work'}`} here${setting === 'auto' ? '' : selected}.`
  const inForce = engineInForce(verdicts, setting)
  if (inForce === undefined) {
    return fail('engine', {
      evidence,
      cost: 'envs cannot enter any environment.',
      remedy:
        working[0] === undefined
          ? `See the other checks.${hasProot ? '' : ` ${FETCH_PROOT}`}`
          : `Leave the setting engine (ENVS_ENGINE) at auto, which selects ${working[0]} here.`,
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
      working[0] === 'proot'
        ? 'See the checks of user namespaces, AppArmor and /proc.'
        : `Leave the setting engine (ENVS_ENGINE) at auto, which selects ${working[0]} here.`,
  })
}

/** Checks that explain why an engine does not work. They are warnings if another engine works. */
const EXPLAINING: ReadonlySet<CheckId> = new Set([
  ...(['user-namespaces', 'apparmor', 'proc', 'kernel', 'bubblewrap'] as const),
])

/** Turns a failed check into a warning if another engine or storage avoids the problem. */
export function soften(
  check: HostCheck,
  {engine, hasLayers}: {engine: EngineName | undefined; hasLayers: boolean},
): HostCheck {
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
      : check.id === 'bubblewrap'
        ? `Environments are started with ${engine} instead.`
        : `Environments are started with ${engine}, which works all the same.`
  return {...check, status: 'warn', cost}
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** The result of a trial mount of layers. */
export type OverlayFacts = {
  /** Undefined if no engine works. */
  readonly engine: EngineName | undefined
  /** The way to mount layers; undefined if the trial failed or was not possible. */
  readonly way: OverlayMounter | undefined
  /** The reason why no trial was possible. */
  readonly obstacle: 'root' | 'path' | string | undefined
}

/** Mounts layers in the store as a trial. */
async function checkOverlay(
  host: Host,
  {engine, identity}: {engine: EngineName | undefined; identity: Identity},
): Promise<Check<'overlay'>> {
  return judgeOverlay({engine, ...(await tryOverlay(host, {engine, identity}))})
}

/** Judges the trial mount of layers. */
export function judgeOverlay({engine, way, obstacle}: OverlayFacts): Check<'overlay'> {
  if (way === 'engine') return pass('overlay', `${engine} mounts layers.`)
  if (way === 'before') return pass('overlay', 'Layers are mounted before the engine starts.')
  return warn('overlay', {
    evidence: describeFailure({engine, obstacle}),
    cost: 'Each environment is a complete copy of its image (storage directory): there are no snapshots, and copies take time and space.',
    remedy:
      obstacle === undefined
        ? 'Use Linux 5.11 or newer, and a file system that overlayfs can write to: set ENVS_HOME to a folder on a local disk.'
        : 'See the other checks.',
  })
}

function describeFailure({engine, obstacle}: Pick<OverlayFacts, 'engine' | 'obstacle'>): string {
  if (engine === undefined) return 'Not tried: no engine works.'
  if (engine === 'proot') return 'proot does not support layers.'
  if (obstacle === 'root')
    return 'Layers are not available to root of the host, in whose environments the mounts of the host are locked.'
  if (obstacle === 'path') return 'The path of the store has a character that overlayfs does not accept.'
  return obstacle === undefined ? 'A trial failed.' : `A trial mount failed: ${obstacle}.`
}

async function tryOverlay(
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

/**
 * Judges the leftovers of killed commands. The next command that changes the store removes folders and layers, but does not
 * end processes.
 */
export function judgeRemains({folders, layers, orphans}: StoreLeftovers): Check<'leftovers'> {
  const seen = [
    ...(folders > 0 ? [`${folders} incomplete folders`] : []),
    ...(layers > 0 ? [`${layers} unused layers`] : []),
    ...orphans.map(({name, holders}) => {
      const pids = holders.map(({pid}) => pid)
      const who = pids.length === 0 ? 'a process that cannot be seen from here' : `process ${pids.join(', ')}`
      return `${who} holds the lock of ${name}, whose first process has ended`
    }),
  ]
  if (seen.length === 0) return pass(LEFTOVERS, 'None.')
  return warn(LEFTOVERS, {
    evidence: `${seen.join('; ')}.`,
    cost: orphans.length > 0 ? 'A locked environment cannot be started.' : 'They use disk space.',
    remedy: 'Remove the leftovers: envs doctor --repair',
  })
}

import {hostMirrors} from '../archive/host-mirrors.js'
import type {SettingName} from '../config/schema.js'
import type {Settings} from '../config/settings.js'
import {EnvsError, errnoOf} from '../errors.js'
import {featureChecks} from '../features/list.js'
import {type Check, warn} from '../host/doctor/check.js'
import {judgeClock} from '../host/doctor/clock.js'
import {canRun, examineHost, inOrder} from '../host/doctor/list.js'
import {judgeMirrors, observeMirrors} from '../host/doctor/mirrors.js'
import {type Ticket, ticketOf} from '../host/doctor/ticket.js'
import type {Host} from '../host/host.js'
import {readOsRelease} from '../host/os-release.js'
import {type EngineName, tryEngines} from '../sandbox/engines/choice.js'
import {identityFor} from './engine.js'
import {engineInForce, judgeEngines, soften} from './engine-check.js'
import {gapsOnHost} from './isolation-gaps.js'
import {checkOverlay} from './overlay-check.js'
import {judgeRemains} from './remains-check.js'
import {findRemains} from './repair.js'

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
    return judgeRemains(await findRemains(host))
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

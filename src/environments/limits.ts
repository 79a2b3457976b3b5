import {readSettings} from '../config/settings.js'
import {LIMIT_TEXTS} from '../features/limit-texts.js'
import {planLimits} from '../features/limits.js'
import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {guestNamespaceOf} from '../sandbox/engines/select.js'
import {countMemoryKills, type PlannedLimits, requireEnforced} from '../sandbox/limits/in-force.js'
import {type Limits, type RunningLimits, shownLimits} from '../sandbox/limits/limits.js'
import type {EnvironmentFiles} from '../store/environments.js'
import type {EnvironmentRecord, EnvironmentSettings} from '../store/record.js'
import type {LimitsResult} from './results.js'
import {type EngineSetting, findEngine, wantedEngine} from './session/engine.js'

type Change = (settings: EnvironmentSettings, text: string) => EnvironmentSettings | undefined

/** The limits as `envs set` takes them: `none` removes one. */
export const LIMIT_SETTINGS: Readonly<Record<string, {readonly allowed: string; readonly change: Change}>> = {
  ...Object.fromEntries(
    Object.entries(LIMIT_TEXTS).map(([name, {field, allowed, parse}]) => [
      name,
      {
        allowed: `${allowed}, or none`,
        change: (settings: EnvironmentSettings, text: string) => {
          const value = text === 'none' ? undefined : parse(text)
          if (value === undefined && text !== 'none') return undefined
          return withLimit(settings, field, value)
        },
      },
    ]),
  ),
  'require-limits': {
    allowed: 'yes, no',
    change: (settings, text) =>
      text === 'yes' || text === 'no'
        ? withLimit(settings, 'isRequired', text === 'yes' || undefined)
        : undefined,
  },
}

function withLimit(
  {limits = {}, ...others}: EnvironmentSettings,
  field: keyof Limits,
  value: number | true | undefined,
): EnvironmentSettings {
  const {[field]: _, ...rest} = limits
  const changed: Limits = value === undefined ? rest : {...rest, [field]: value}
  return Object.keys(changed).length === 0 ? others : {...others, limits: changed}
}

/** Returns how this host would enforce the limits of an environment; undefined without limits, or where no engine works. */
async function foreseeLimits(
  host: Host,
  record: Pick<EnvironmentRecord, 'settings'>,
  setting: EngineSetting,
): Promise<PlannedLimits | undefined> {
  const {limits} = record.settings
  const wanted = wantedEngine(setting, record)
  if (limits === undefined || wanted === undefined) return undefined
  const engine = await findEngine(host, wanted)
  const {cache: cacheFolder} = host.paths
  const guestNamespace = engine === 'proot' ? 'only' : await guestNamespaceOf(host, engine, {cacheFolder})
  return planLimits(host, limits, {engine, guestNamespace})
}

/**
 * Returns how this host would enforce the limits of an environment that is made or changed; undefined without limits.
 *
 * @throws {@link limitsNotEnforcedError} When the limits are required, and would not be enforced.
 */
export async function checkLimits(
  host: Host,
  record: Pick<EnvironmentRecord, 'settings'>,
  {name, engine}: {readonly name: string; readonly engine?: EngineSetting | undefined},
): Promise<PlannedLimits | undefined> {
  if (record.settings.limits === undefined) return undefined
  const setting = engine ?? (await readSettings(host)).value('engine')
  const planned = await foreseeLimits(host, record, setting)
  if (planned !== undefined) requireEnforced(name, planned)
  return planned
}

/** Returns the limits of an environment for people: those in force while it runs, else how its next start would enforce them. */
export async function describeLimits(
  host: Host,
  {record, files}: {readonly record: EnvironmentRecord; readonly files: EnvironmentFiles},
  engine: EngineSetting,
): Promise<LimitsResult> {
  const anchor = readLiveAnchor(files.run)
  const limits = anchor === undefined ? await foreseeLimits(host, record, engine) : anchor.limits
  return limitsResult(limits)
}

const NO_LIMITS: LimitsResult = {shared: [], timeoutSeconds: null, isRequired: false, memoryKills: null}

/** Returns limits as `show` and `set` print them. */
export function limitsResult(given: RunningLimits | undefined): LimitsResult {
  if (given === undefined) return NO_LIMITS
  const {values, enforced, group} = given
  return {
    shared: shownLimits({values, enforced}),
    timeoutSeconds: values.timeoutSeconds ?? null,
    isRequired: values.isRequired ?? false,
    memoryKills: group === undefined ? null : countMemoryKills(group),
  }
}

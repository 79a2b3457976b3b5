import {readSettings} from '../config/settings.js'
import {LIMIT_TEXTS} from '../features/limit-texts.js'
import {planLimits} from '../features/limits.js'
import type {Host} from '../host/host.js'
import type {Anchor} from '../sandbox/anchor-state.js'
import {type EngineName, guestNamespaceOf} from '../sandbox/engines/select.js'
import {countMemoryKills, type PlannedLimits, requireEnforced} from '../sandbox/limits/in-force.js'
import {nothingEnforced, shownLimits} from '../sandbox/limits/limits.js'
import type {Limits, RunningLimits} from '../sandbox/limits/schema.js'
import type {EnvironmentRecord, EnvironmentSettings} from '../store/record.js'
import type {LimitsResult} from './results.js'
import {type EngineSetting, engineForStart, wantedEngine} from './session/engine.js'

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

/** @param engine - Null where none works: then nothing is enforced. */
async function foreseeLimits(host: Host, limits: Limits, engine: EngineName | null): Promise<PlannedLimits> {
  if (engine === null) return {values: limits, enforced: nothingEnforced(limits)}
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
  {settings = {}}: {readonly settings?: EnvironmentSettings | undefined},
  {name, engine}: {readonly name: string; readonly engine?: EngineSetting | undefined},
): Promise<PlannedLimits | undefined> {
  const {limits} = settings
  if (limits === undefined) return undefined
  const setting = wantedEngine(engine ?? (await readSettings(host)).value('engine'), {settings})
  const planned = await foreseeLimits(host, limits, await engineForStart(host, setting))
  requireEnforced(name, planned)
  return planned
}

/** Returns the limits of an environment for people: those in force while it runs, else how its next start would enforce them. */
export async function describeLimits(
  host: Host,
  {settings: {limits}}: EnvironmentRecord,
  {anchor, engine}: {readonly anchor: Anchor | undefined; readonly engine: EngineName | null},
): Promise<LimitsResult> {
  if (anchor !== undefined) return limitsResult(anchor.limits)
  return limitsResult(limits && (await foreseeLimits(host, limits, engine)))
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

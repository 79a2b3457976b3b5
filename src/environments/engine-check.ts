import {type Check, type CheckId, fail, pass, warn} from '../host/doctor/check.js'
import {ENGINES, type EngineName} from '../sandbox/engines/choice.js'
import type {EngineSetting} from './engine.js'

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

import {dirname} from 'node:path'
import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import type {Anchor} from '../anchor-state.js'
import {processWords} from './limits.js'
import type {RunningLimits} from './schema.js'

/** Returns the options of templates/host/session.pl for the limits of a running environment and of one session. */
export function limitOptions(
  {limits, group: guests}: Pick<Anchor, 'limits' | 'group'>,
  {architecture, timeoutSeconds}: {architecture: DebArchitecture; timeoutSeconds: number | undefined},
): string[] {
  const time = shorterTime(timeoutSeconds, limits?.values.timeoutSeconds)
  return [
    ...wordsOf(limits, architecture, guests),
    ...(time === undefined ? [] : ['time', String(time)]),
  ].flatMap((word, index) => (index % 2 === 0 ? ['-l', word] : [word]))
}

/** Returns the time of a session: its own can't be longer than that of the environment. */
export function shorterTime(one: number | undefined, other: number | undefined): number | undefined {
  const given = [one, other].filter((seconds) => seconds !== undefined)
  return given.length === 0 ? undefined : Math.min(...given)
}

function wordsOf(
  limits: RunningLimits | undefined,
  architecture: DebArchitecture,
  guests: string | undefined,
): string[] {
  if (limits === undefined) return []
  const {values, enforced, group} = limits
  const limited = group ?? (guests === undefined ? undefined : dirname(guests))
  return [
    // The groups of a guest's own init are below the one with the limits, and its sessions enter one of those.
    ...(group === undefined || guests !== undefined ? [] : ['group', group]),
    ...(limited === undefined || enforced.memoryBytes !== 'environment' ? [] : ['events', limited]),
    ...processWords(limits).map((word, index, all) =>
      all[index - 1] === 'rlimits' ? `${systemCalls(architecture).prlimit64} ${word}` : word,
    ),
    ...(values.isRequired === true ? ['required', '1'] : []),
  ]
}

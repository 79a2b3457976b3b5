import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {groupValues} from './groups.js'
import {processWords} from './limits.js'
import type {Limits, RunningLimits} from './schema.js'

type Prefix = {
  /** Argv prefix of templates/host/limits.pl. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
  readonly limits: Pick<RunningLimits, 'values' | 'enforced'>
  /** A group to be made for these limits, below that of the process. */
  readonly group?: {readonly mount: string; readonly name: string; readonly limits: Limits} | undefined
}

/** Returns an argv prefix that puts a program under limits; empty where nothing is to be done. */
export function limitsPrefix({launcher, architecture, limits, group}: Prefix): string[] {
  const words = [
    ...processWords(limits),
    ...(group === undefined ? [] : ['group', group.mount, group.name, groupValues(group.limits).join('\n')]),
  ]
  if (words.length === 0) return []
  return [...launcher, String(systemCalls(architecture).prlimit64), ...words, '--']
}

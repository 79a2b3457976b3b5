import {type Check, fail, pass} from './check.js'
import type {Place} from './disk.js'

/**
 * Judges whether programs in the store can be executed. The store's mount options do not apply to mounted
 * layers.
 */
export function judgeExecution({folder, options}: Pick<Place, 'folder' | 'options'>): Check {
  if (!options.includes('noexec'))
    return pass('execution', `Programs on the disk of ${folder} can be executed.`)
  return fail('execution', {
    evidence: `The disk of ${folder} is mounted noexec.`,
    cost: 'No program of an environment can be executed.',
    remedy: 'Set ENVS_HOME to a folder on another disk.',
  })
}

import {type Check, fail, pass} from './check.js'
import type {Place} from './disk.js'

/** Whether programs that lie in the store can be executed. Layers are mounted, and so free of the store's own options. */
export function judgeExecution({folder, options}: Pick<Place, 'folder' | 'options'>): Check {
  if (!options.includes('noexec'))
    return pass('execution', `Programs on the disk of ${folder} can be executed.`)
  return fail('execution', {
    evidence: `The disk of ${folder} is mounted noexec.`,
    cost: 'No program of an environment can be executed.',
    remedy: 'Set ENVS_HOME to a folder on another disk.',
  })
}

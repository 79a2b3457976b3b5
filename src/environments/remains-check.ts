import {type Check, pass, warn} from '../host/doctor/check.js'
import type {Remains} from './repair.js'

/** What killed commands left is taken away by the next command that changes something; what lives on is not. */
export function judgeRemains({folders, layers, orphans}: Remains): Check {
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

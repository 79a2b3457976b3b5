import {type ProcessStatus, readProcessStatus} from '../process-status.js'
import {type Check, pass, warn} from './check.js'

export async function checkNewPrivileges(): Promise<Check> {
  return judgeNewPrivileges(await readProcessStatus())
}

/** With NoNewPrivs, setuid programs have no effect, including newuidmap. */
export function judgeNewPrivileges({noNewPrivileges}: Pick<ProcessStatus, 'noNewPrivileges'>): Check {
  if (!noNewPrivileges) return pass('new-privileges', 'NoNewPrivs is 0 in /proc/self/status.')
  return warn('new-privileges', {
    evidence: 'NoNewPrivs is 1 in /proc/self/status.',
    cost: 'Environments are emulated: newuidmap, which maps subordinate ids, does not work.',
    remedy:
      'Start envs outside of the sandbox or service it runs in now (systemd: NoNewPrivileges=no; docker: without no-new-privileges).',
  })
}

import {accountName} from '../account.js'
import type {Host} from '../host.js'
import {type Check, pass, warn} from './check.js'

/** The user who runs envs. */
export type AccountFacts = {readonly uid: number; readonly name: string | undefined}

export function checkAccount({uid}: Pick<Host, 'uid'>): Check {
  return judgeAccount({uid, name: accountName()})
}

export function judgeAccount({uid, name}: AccountFacts): Check {
  if (uid === 0) {
    return warn('account', {
      evidence: 'The user is 0, root.',
      cost: 'What breaks out of an environment may be root on the host, and there are no layers and no snapshots.',
      remedy: 'Run envs as an ordinary user: it needs no right of root.',
    })
  }
  if (name === undefined) {
    return warn('account', {
      evidence: `The user ${uid} has no name: /etc/passwd does not list it.`,
      cost: 'No line of /etc/subuid is found by name, and programs that ask for the user find none.',
      remedy: 'Start the container around envs as a user that its /etc/passwd lists.',
    })
  }
  return pass('account', `${name} (${uid}).`)
}

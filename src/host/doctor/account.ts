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
      cost: 'A program that breaks out of an environment is root on the host, and there are no layers and no snapshots.',
      remedy: 'Run envs as an ordinary user: envs needs no root privileges.',
    })
  }
  if (name === undefined) {
    return warn('account', {
      evidence: `The user ${uid} has no name: /etc/passwd does not list it.`,
      cost: 'envs finds no line in /etc/subuid by name, and programs that look up the user fail.',
      remedy: 'Start the container around envs as a user in its /etc/passwd.',
    })
  }
  return pass('account', `${name} (${uid}).`)
}

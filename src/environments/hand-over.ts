import {closeSync, openSync, writeFileSync} from 'node:fs'
import type {Host} from '../host/host.js'

/** By which templates/host/join.pl asks for a plan instead of a session; its value is the number of a descriptor. */
const HAND_OVER = 'ENVS_HAND_OVER'

/** Who joins the environment itself, and only has to be told how. */
export type JoiningParent = {tell(plan: string): void}

/** @returns undefined where nobody waits for a plan: then the session is for this process to run. */
export function joiningParent({environment}: Pick<Host, 'environment'>): JoiningParent | undefined {
  const inherited = environment[HAND_OVER] ?? ''
  if (!/^\d{1,6}$/.test(inherited)) return undefined
  // One that is closed at exec takes its place: what is started from here would keep the reader waiting.
  const fd = openSync(`/proc/self/fd/${inherited}`, 'w')
  closeSync(Number(inherited))
  return {
    tell(plan) {
      writeFileSync(fd, plan)
      closeSync(fd)
    },
  }
}

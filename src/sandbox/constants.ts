import {inheritableDescriptors} from '../host/proc.js'

type Inherited = (number | 'ignore' | 'pipe')[]

/**
 * Puts /dev/null over what the caller's shell left open: a folder's descriptor in the guest leads to the host, and a pipe
 * would be kept from its end for as long as the environment runs.
 *
 * By its number: above standard error, Node's 'ignore' leaves a descriptor as it is.
 */
export function coverStrays(stdio: Inherited, devNull: number): Inherited {
  const length = Math.max(stdio.length, ...inheritableDescriptors().map((fd) => fd + 1))
  return Array.from({length}, (_, fd) => stdio[fd] ?? devNull)
}

/** Where programs are looked for in a guest. */
export const GUEST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

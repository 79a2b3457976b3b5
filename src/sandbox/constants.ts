import {inheritableDescriptors} from '../host/machine/proc.js'

type Inherited = (number | 'ignore' | 'pipe')[]

/**
 * Replaces the descriptors that the caller's shell left open by /dev/null: through a folder's descriptor a guest reaches the host,
 * and a pipe would not end while the environment runs.
 *
 * Takes a descriptor of /dev/null, because Node's 'ignore' does not change descriptors above standard error.
 */
export function coverStrays(stdio: Inherited, devNull: number): Inherited {
  const length = Math.max(stdio.length, ...inheritableDescriptors().map((fd) => fd + 1))
  return Array.from({length}, (_, fd) => stdio[fd] ?? devNull)
}

/** The guest's PATH. */
export const GUEST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

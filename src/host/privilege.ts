import {readFileSync} from 'node:fs'

/** @see linux/capability.h */
const CAP_SYS_ADMIN = 21n

/**
 * Whether this is root with a say over mounts: the machine's, or that of a container that was given it.
 *
 * Files of the kernel such as /proc/sys belong to uid 0 and ask for no capability, so a guest that runs with that
 * uid must be kept from them by mounts.
 */
export function isMountingRoot({uid}: {readonly uid: number}): boolean {
  if (uid !== 0) return false
  const mask = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  return mask !== undefined && (BigInt(`0x${mask}`) & (1n << CAP_SYS_ADMIN)) !== 0n
}

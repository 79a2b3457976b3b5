import {unlessErrno} from '../errno.js'
import {readSmallFile} from '../files.js'

/** Limits of an ordinary user in the network of the host. The kernel checks the own ids of the user, also for a guest. @see icmp(7), ip(7) */
export type NetworkLimits = {
  /** The first and the last group that may use ping. */
  readonly pingGroups: readonly [number, number]
  /** The first port that a server may use. */
  readonly firstPort: number
}

/** Reads the limits of this host; a setting that the kernel lacks limits nothing, apart from the ports. */
export function readNetworkLimits(): NetworkLimits {
  const [first = 0, last = Number.POSITIVE_INFINITY] = numbersIn('ping_group_range')
  const [firstPort = 1024] = numbersIn('ip_unprivileged_port_start')
  return {pingGroups: [first, last], firstPort}
}

export function mayPing({pingGroups: [first, last]}: NetworkLimits, gid: number): boolean {
  return first <= gid && gid <= last
}

function numbersIn(name: string): number[] {
  const text = unlessErrno(() => readSmallFile(`/proc/sys/net/ipv4/${name}`), 'ENOENT', 'EACCES')
  return text?.trim().split(/\s+/).map(Number) ?? []
}

import {readFileSync} from 'node:fs'
import {endianness} from 'node:os'
import {unlessErrno} from '../host/errno.js'
import type {Inspection} from './inspection.js'

/** A port that a process listens on. */
export type ListeningPort = {
  readonly protocol: 'tcp' | 'udp'
  /** IPv4 or IPv6; `0.0.0.0` and `::` for all addresses. */
  readonly address: string
  readonly port: number
}

/** A socket of a table of the kernel. */
type ListeningSocket = ListeningPort & {readonly inode: string}

const TABLES = [
  ['tcp', 'tcp'],
  ['tcp6', 'tcp'],
  ['udp', 'udp'],
  ['udp6', 'udp'],
] as const

/** TCP_LISTEN, and TCP_CLOSE of a UDP socket without a peer: include/net/tcp_states.h of Linux. */
const LISTENING = {tcp: '0A', udp: '07'} as const

/**
 * Returns the listening sockets in the network namespace of a process, by inode.
 *
 * Reads the kernel's own tables on the host: a guest can't forge them.
 *
 * @see proc_pid_net(5)
 */
export function listeningSockets(pid: number): ReadonlyMap<string, ListeningPort> {
  const sockets = TABLES.flatMap(([table, protocol]) => {
    const text = unlessErrno(() => readFileSync(`/proc/${pid}/net/${table}`, 'latin1')) ?? ''
    return parseSocketTable(text, protocol)
  })
  return new Map(sockets.map(({inode, ...port}) => [inode, port]))
}

/** Parses the listening sockets of a table. @see proc_pid_net(5), /proc/net/tcp */
export function parseSocketTable(text: string, protocol: 'tcp' | 'udp'): ListeningSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
      const {address, port} =
        /^(?<address>[0-9A-F]{8}|[0-9A-F]{32}):(?<port>[0-9A-F]{4})$/.exec(local)?.groups ?? {}
      if (address === undefined || port === undefined || inode === undefined || state !== LISTENING[protocol])
        return []
      return [{protocol, address: formatAddress(address), port: Number.parseInt(port, 16), inode}]
    })
}

/** The kernel prints the 32-bit words of an address in the order of the processor. */
function formatAddress(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({length: 8}, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  // The URL parser compresses groups of zeros as RFC 5952 does.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** Returns the ports of a process, without duplicates. */
export function portsOfProcess(
  pid: number,
  {facts, sockets}: {readonly facts: Inspection; readonly sockets: ReadonlyMap<string, ListeningPort>},
): readonly ListeningPort[] {
  const inodes = facts.get(pid)?.sockets ?? []
  return [...new Set(inodes.flatMap((inode) => sockets.get(inode) ?? []))]
}

/** Returns the ports of processes in one network, in order. */
export function portsOfProcesses(
  processes: readonly {readonly hostPid: number}[],
  facts: Inspection,
): ListeningPort[] {
  const [first] = processes
  if (first === undefined) return []
  const sockets = listeningSockets(first.hostPid)
  const ports = new Set(processes.flatMap(({hostPid}) => portsOfProcess(hostPid, {facts, sockets})))
  return [...ports].sort((a, b) => a.port - b.port)
}

import {readFileSync} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {listeningSockets, portsOfProcess} from '../../sandbox/listening-ports.js'
import {environmentFiles, listNames} from '../../store/environments.js'
import {guestProcesses, inspectGuest} from '../session/processes.js'

/** Why a service can't listen on a port. */
export type PortProblem =
  | {readonly kind: 'privileged'; readonly port: number; readonly first: number}
  | {
      readonly kind: 'taken'
      readonly port: number
      /** The other environment; undefined for a program of the host, or of the environment itself. */
      readonly by: string | undefined
    }

/** Texts of EACCES and EADDRINUSE in the locale C, which services have. @see strerror(3) */
const REFUSAL = /permission denied|address (?:already )?in use|EACCES|EADDRINUSE/i

/** An address with its port, `port 22`, or the arguments of bind: `(0.0.0.0, 143)`. */
const NAMED_PORT =
  /(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]*\]|\*|::|localhost):(?<a>\d{1,5})\b|\bport[ :=]+(?<b>\d{1,5})\b|\([^()\n]{0,60}, ?(?<c>\d{1,5})\)/gi

const MOST_PORTS = 20

/**
 * Returns the ports that a service names in what it printed, where it says that an address was refused; those of its last lines first, for
 * it may have had another configuration before. These are candidates only: {@link findPortProblem} decides by what the kernel says.
 */
export function portsInLog(text: string): number[] {
  if (!REFUSAL.test(text)) return []
  const ports = [...text.matchAll(NAMED_PORT)].map(({groups}) =>
    Number(groups?.['a'] ?? groups?.['b'] ?? groups?.['c']),
  )
  return [...new Set(ports.reverse().filter((port) => port > 0 && port < 65_536))].slice(0, MOST_PORTS)
}

/**
 * Returns the first of these ports that the kernel would refuse to a service: another process listens on it, or it is for root alone.
 *
 * @param pid - A process in the network of the service.
 */
export async function findPortProblem(
  host: Host,
  ports: readonly number[],
  pid: number,
): Promise<PortProblem | undefined> {
  if (ports.length === 0) return undefined
  const sockets = listeningSockets(pid)
  const taken = new Set([...sockets.values()].map(({port}) => port))
  const first = firstFreePort()
  for (const port of ports) {
    if (taken.has(port)) return {kind: 'taken', port, by: await findPortOwner(host, port, pid)}
    if (port < first) return {kind: 'privileged', port, first}
  }
  return undefined
}

/** The lowest port for all users. @see ip(7), net.ipv4.ip_unprivileged_port_start */
function firstFreePort(): number {
  const text = unlessErrno(() => readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'))
  const first = Number(text?.trim() || '1024')
  return Number.isInteger(first) ? first : 1024
}

/** Returns the environment of this user whose process listens on a port. @param pid - A process in the network of the port. */
export async function findPortOwner(host: Host, port: number, pid: number): Promise<string | undefined> {
  const sockets = listeningSockets(pid)
  for (const name of await listNames(host.paths)) {
    const files = environmentFiles(host.paths, name)
    if (readLiveAnchor(files.run) === undefined) continue
    const processes = guestProcesses(host, files)
    const facts = await inspectGuest(host, files, processes)
    const ports = processes.flatMap(({hostPid}) => portsOfProcess(hostPid, {facts, sockets}))
    if (ports.some((each) => each.port === port)) return name
  }
  return undefined
}

/** Describes a problem with a port and the ways out, for the row of a service. */
export function describePortProblem(problem: PortProblem): string {
  const {port} = problem
  const move = 'set another port in its configuration'
  switch (problem.kind) {
    case 'privileged':
      return (
        `port ${port} is below ${problem.first} and for the host's root alone: ${move}; ` +
        `or ask the administrator of the host for net.ipv4.ip_unprivileged_port_start=${port}; ` +
        `or have the administrator forward port ${port} to one from ${problem.first} on`
      )
    case 'taken':
      return problem.by === undefined
        ? `another program listens on port ${port}: ${move}; or end that program; or start the service on another host`
        : `environment "${problem.by}" listens on port ${port}: ${move}; or change the port there; or end it: envs stop ${problem.by}`
  }
}

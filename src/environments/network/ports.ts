import type {Host} from '../../host/host.js'
import {readLiveAnchor, recordedNetwork} from '../../sandbox/anchor-state.js'
import {listeningSockets, portsOfProcess} from '../../sandbox/listening-ports.js'
import {isHelperRunning, publicationLock} from '../../sandbox/network/helper.js'
import {chooseEnvironment} from '../../store/environments.js'
import {guestProcesses, inspectGuest} from '../session/processes.js'
import type {PortListResult} from './results.js'

/**
 * Returns the ports that an environment listens on, with their processes, and those of the host that lead to it.
 *
 * @param text - Name of the environment; undefined for the only one of the store.
 */
export async function listPorts(host: Host, text: string | undefined): Promise<PortListResult> {
  const {name, files, record} = await chooseEnvironment(host.paths, text)
  const anchor = readLiveAnchor(files.run)
  const network = anchor === undefined ? null : (recordedNetwork(files.run) ?? 'host')
  const listening = await listeningPorts(host, {files, anchor, isOwn: network !== 'host'})
  const published: PortListResult['published'][number][] = []
  for (const publication of record.settings.publish ?? []) {
    const isActive = await isHelperRunning(publicationLock(files.run, publication))
    const isAnswered = listening.some(
      ({protocol, port}) => protocol === 'tcp' && port === publication.guestPort,
    )
    published.push({...publication, isActive, isAnswered})
  }
  return {name, network, listening, published}
}

type Place = Pick<Awaited<ReturnType<typeof chooseEnvironment>>, 'files'> & {
  readonly anchor: ReturnType<typeof readLiveAnchor>
  /** Whether all sockets of its network are its own. */
  readonly isOwn: boolean
}

async function listeningPorts(
  host: Host,
  {files, anchor, isOwn}: Place,
): Promise<PortListResult['listening']> {
  const processes = guestProcesses(host, files)
  const [first] = processes
  const pid = anchor?.pid ?? first?.hostPid
  if (pid === undefined) return []
  const sockets = listeningSockets(pid)
  const facts = await inspectGuest(host, files, processes)
  const held = processes.flatMap((process) =>
    portsOfProcess(process.hostPid, {facts, sockets}).map((port) => ({port, process})),
  )
  // Children of a server have its sockets too: the first is the server.
  const holders = new Map(held.reverse().map(({port, process}) => [port, process]))
  const shown = isOwn ? [...sockets.values()] : [...holders.keys()]
  return shown
    .map((port) => ({
      ...port,
      pid: holders.get(port)?.pid ?? null,
      command: holders.get(port)?.command ?? null,
    }))
    .sort((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol))
}

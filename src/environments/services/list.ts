import type {Host} from '../../host/host.js'
import {readTreeServices, type TreeService} from '../../rootfs/tree-services.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {type ListeningPort, listeningSockets, portsOfProcess} from '../../sandbox/listening-ports.js'
import type {GuestProcess} from '../../sandbox/processes.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import {guestProcesses} from '../session/processes.js'
import type {ServiceListResult, ServiceRow} from './results.js'
import {startedUnit, unitOfProgram} from './unit-of-process.js'

/**
 * Lists the services of an environment: those that run, and those that an init would start.
 *
 * @param text - Name of the environment.
 * @throws {EnvironmentNotFoundError} @throws {HistoryUnreadableError}
 */
export async function listServices(host: Host, text: string): Promise<ServiceListResult> {
  const environment = await findEnvironment(host.paths, text)
  const processes = guestProcesses(host, environment.files)
  const services = await treeServices(host, environment, processes)
  const isRunning = readLiveAnchor(environment.files.run) !== undefined || processes.length > 0
  return {name: environment.name, isRunning, services: rowsOf(services, processes)}
}

async function treeServices(
  host: Host,
  environment: Environment,
  processes: readonly GuestProcess[],
): Promise<TreeService[]> {
  const folders = treeFolders(host.paths, await readGuestTree(environment))
  const others = processes.flatMap(({hostPid}) => startedUnit(hostPid) ?? [])
  return readTreeServices(folders, {others})
}

/** Returns the rows of an environment in which no init runs: the kernel knows its processes, and files the rest. */
function rowsOf(services: readonly TreeService[], processes: readonly GuestProcess[]): ServiceRow[] {
  const byUnit = new Map<string, GuestProcess[]>(services.map(({unit}) => [unit, []]))
  for (const process of processes) {
    const unit = startedUnit(process.hostPid) ?? unitOfProgram(process, services)
    byUnit.get(unit ?? '')?.push(process)
  }
  return services.map((service) => rowOf(service, byUnit.get(service.unit) ?? []))
}

function rowOf(
  {unit, description, isEnabled, isRecorded}: TreeService,
  processes: readonly GuestProcess[],
): ServiceRow {
  // The oldest one; the others are its children.
  const [main] = processes
  const state = main !== undefined ? 'active' : isEnabled && isRecorded ? 'would-start' : 'inactive'
  return {
    ...{unit, description, state, sub: '', result: '', isEnabled},
    since: main?.startedAt ?? null,
    mainPid: main?.pid ?? null,
    ports: portsOf(processes),
    reason: null,
  }
}

/** Returns the ports of processes in one network, in order. */
function portsOf(processes: readonly GuestProcess[]): ListeningPort[] {
  const [first] = processes
  if (first === undefined) return []
  const sockets = listeningSockets(first.hostPid)
  const ports = new Set(processes.flatMap(({hostPid}) => portsOfProcess(hostPid, sockets)))
  return [...ports].sort((a, b) => a.port - b.port)
}

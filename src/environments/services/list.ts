import type {Host} from '../../host/host.js'
import {readTreeServices, type TreeService} from '../../rootfs/tree-services.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {portsOfProcesses} from '../../sandbox/listening-ports.js'
import type {GuestProcess} from '../../sandbox/processes.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import {type FoundProcesses, programRows} from '../programs/rows.js'
import {captureInEnvironment} from '../session/capture.js'
import {guestProcesses, inspectGuest} from '../session/processes.js'
import {askUnits, bootedAnchor, processesByUnit, rowOfUnit, showUnits} from './booted.js'
import {wholeLogCommand} from './log.js'
import {describePortProblem, findPortProblem, portsInLog} from './port-reason.js'
import type {ServiceListResult, ServiceRow} from './results.js'
import type {ShownUnit} from './show-output.js'
import {startedUnit, unitOfProgram} from './unit-of-process.js'

/**
 * Lists the services of an environment: those that run, those that failed, and those that an init would start.
 *
 * @param text - Name of the environment.
 * @throws {EnvironmentNotFoundError} @throws {HistoryUnreadableError} @throws {@link guestRefusedError}
 */
export async function listServices(host: Host, text: string): Promise<ServiceListResult> {
  const environment = await findEnvironment(host.paths, text)
  const {name, files} = environment
  const found = await findProcesses(host, environment)
  const started = found.processes.flatMap((process) => startedUnit(process, found.facts) ?? [])
  const services = await treeServices(host, environment, started)
  const isRunning = readLiveAnchor(files.run) !== undefined || found.processes.length > 0
  const rows =
    bootedAnchor(environment) === undefined
      ? rowsWithoutInit(services, found)
      : await rowsOfInit(host, environment, {
          units: await showUnits(
            host,
            environment,
            services.map(({unit}) => unit),
          ),
          found,
        })
  return {name, isRunning, services: [...rows, ...(await programRows(files.run, found))]}
}

/** Returns the rows of some units and programs of an environment, as {@link listServices} has them. */
export async function rowsOf(
  host: Host,
  environment: Environment,
  {units, programs}: {readonly units: readonly string[]; readonly programs: readonly string[]},
): Promise<ServiceRow[]> {
  const found = await findProcesses(host, environment)
  const ofPrograms = programs.length === 0 ? [] : await programRows(environment.files.run, found)
  const rows = [...(await unitRows(host, environment, {units, found})), ...ofPrograms]
  return rows.filter(({kind, unit}) => kind === 'unit' || programs.includes(unit))
}

async function unitRows(
  host: Host,
  environment: Environment,
  {units, found}: {readonly units: readonly string[]; readonly found: FoundProcesses},
): Promise<ServiceRow[]> {
  if (units.length === 0) return []
  if (bootedAnchor(environment) !== undefined)
    return rowsOfInit(host, environment, {units: await askUnits(host, environment, units), found})
  const services = await treeServices(host, environment, units)
  return rowsWithoutInit(services, found).filter(({unit}) => units.includes(unit))
}

async function findProcesses(host: Host, {files}: Environment): Promise<FoundProcesses> {
  const processes = guestProcesses(host, files)
  return {processes, facts: await inspectGuest(host, files, processes)}
}

/** Reads the services that packages asked to start, and those that were started by hand, from the disk. */
export async function treeServices(
  host: Host,
  environment: Environment,
  others: readonly string[] = [],
): Promise<TreeService[]> {
  return readTreeServices(treeFolders(host.paths, await readGuestTree(environment)), {others})
}

/** Returns the rows of an environment in which no init runs: the kernel knows its processes, and files the rest. */
function rowsWithoutInit(services: readonly TreeService[], {processes, facts}: FoundProcesses): ServiceRow[] {
  const byUnit = new Map<string, GuestProcess[]>(services.map(({unit}) => [unit, []]))
  for (const process of processes) {
    const unit = startedUnit(process, facts) ?? unitOfProgram(process, services)
    byUnit.get(unit ?? '')?.push(process)
  }
  return services.map((service) => rowOf(service, {processes: byUnit.get(service.unit) ?? [], facts}))
}

function rowOf(
  {unit, description, isEnabled, isRecorded}: TreeService,
  {processes, facts}: FoundProcesses,
): ServiceRow {
  // The oldest one; the others are its children.
  const [main] = processes
  const state = main !== undefined ? 'active' : isEnabled && isRecorded ? 'would-start' : 'inactive'
  return {
    ...{kind: 'unit', unit, description, state, sub: '', result: '', isEnabled},
    since: main?.startedAt ?? null,
    mainPid: main?.pid ?? null,
    ports: portsOfProcesses(processes, facts),
    reason: null,
  }
}

async function rowsOfInit(
  host: Host,
  environment: Environment,
  {units, found: {processes, facts}}: {units: readonly ShownUnit[]; found: FoundProcesses},
): Promise<ServiceRow[]> {
  const byUnit = processesByUnit(units, processes)
  const rows = []
  for (const unit of units) {
    const reason = hasFailed(unit) ? await reasonOf(host, environment, unit) : null
    rows.push(rowOfUnit(unit, {ports: portsOfProcesses(byUnit.get(unit.unit) ?? [], facts), reason}))
  }
  return rows
}

/** systemd starts a unit with Restart= again and again. @see systemd.service(5) */
function hasFailed({state, sub}: ShownUnit): boolean {
  return state === 'failed' || (state === 'activating' && sub.startsWith('auto-restart'))
}

/** Returns why a unit failed, if it could not listen on a port; null for other reasons. */
async function reasonOf(host: Host, environment: Environment, {unit}: ShownUnit): Promise<string | null> {
  const anchor = bootedAnchor(environment)
  if (anchor === undefined) return null
  const {stdout} = await captureInEnvironment(host, environment.name, wholeLogCommand([unit]))
  const problem = await findPortProblem(host, portsInLog(stdout), anchor.pid)
  return problem === undefined ? null : describePortProblem(problem)
}

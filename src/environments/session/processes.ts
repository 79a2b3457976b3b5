import {existsSync} from 'node:fs'
import {basename, dirname} from 'node:path'
import type {Host} from '../../host/host.js'
import {lockHolders} from '../../host/locks.js'
import {findPerl} from '../../host/process.js'
import {anchorFiles, readLiveAnchor, recordedInit, recordStop} from '../../sandbox/anchor-state.js'
import {listProotProcesses, stopProotProcesses} from '../../sandbox/engines/proot.js'
import {anchorUnreachableError} from '../../sandbox/errors.js'
import {thawLeftover} from '../../sandbox/init/frozen-group.js'
import {type Inspection, inspectProcesses} from '../../sandbox/inspection.js'
import {type GuestProcess, listProcesses, stopAnchor} from '../../sandbox/processes.js'
import {
  type Environment,
  type EnvironmentFiles,
  environmentFiles,
  findEnvironment,
  listNames,
  repairRunFolder,
} from '../../store/environments.js'
import {processInspector, signalSender} from '../../store/tools.js'
import {listPrograms} from '../programs/program.js'
import {programOf} from '../programs/program-of-process.js'
import {awaitPrograms, leavePrograms} from '../programs/stop.js'
import {UNIT_VARIABLE} from '../services/unit-of-process.js'

export type EnvironmentProcess = GuestProcess & {
  readonly environment: string
  /** Name of the program of `envs run --detach` to which it belongs. */
  readonly program: string | null
}

/** Time that services have to end after SIGTERM, before SIGKILL. */
const STOP_GRACE_MS = 5000
/** With an init, units have their own limits: systemd's usual one. */
const HALT_GRACE_MS = 90_000

/** Lists the processes of one environment, or of all environments where `text` is undefined. */
export async function environmentProcesses(
  host: Host,
  text: string | undefined,
): Promise<EnvironmentProcess[]> {
  if (text !== undefined) return processesOf(host, await findEnvironment(host.paths, text))
  const all: EnvironmentProcess[] = []
  for (const name of await listNames(host.paths)) {
    const files = environmentFiles(host.paths, name)
    repairRunFolder(files)
    all.push(...(await processesOf(host, {name, files})))
  }
  return all
}

type StopOptions = {
  /** Time that services have to end; left out, five seconds, and ninety with an init. */
  readonly graceMs?: number | undefined
}

/** Stops an environment. @returns Whether it was running, and its processes that did not end in time. */
export async function stopEnvironment(
  host: Host,
  text: string,
  options: StopOptions = {},
): Promise<{readonly wasRunning: boolean; readonly killed: readonly GuestProcess[]}> {
  const environment = await findEnvironment(host.paths, text)
  const {files} = environment
  const wasRunning =
    readLiveAnchor(files.run) !== undefined ||
    guestProcesses(host, files).length > 0 ||
    (await listPrograms(files.run)).some(({keeperPid}) => keeperPid !== null)
  return {wasRunning, killed: await stopFiles(host, files, options)}
}

/**
 * Stops the processes of an environment, also of one whose record is damaged.
 *
 * @returns The processes that did not end in time.
 * @throws {@link anchorUnreachableError} When the first process does not end.
 */
export async function stopFiles(
  host: Host,
  {run, lock}: Pick<EnvironmentFiles, 'run' | 'lock'>,
  {graceMs = recordedInit(run) !== undefined ? HALT_GRACE_MS : STOP_GRACE_MS}: StopOptions = {},
): Promise<readonly GuestProcess[]> {
  // First: a program that is started again would start the environment.
  const programs = await leavePrograms(run)
  const killed = await stopProcesses(host, {run, lock}, {graceMs})
  await awaitPrograms(run, programs, basename(dirname(run)))
  // One of them may have been about to start it.
  if (programs.length > 0) await stopProcesses(host, {run, lock}, {graceMs})
  return killed
}

async function stopProcesses(
  host: Host,
  {run, lock}: Pick<EnvironmentFiles, 'run' | 'lock'>,
  {graceMs}: {readonly graceMs: number},
): Promise<readonly GuestProcess[]> {
  const sender = findPerl(host) === undefined ? undefined : signalSender(host)
  if (readLiveAnchor(run) !== undefined) {
    if (recordedInit(run) !== undefined) await recordStop(run)
    await thawLeftover(run)
    const {hasEnded, killed} = await stopAnchor(run, {sender, graceMs})
    if (hasEnded) return killed
    throw anchorUnreachableError(basename(dirname(run)), await lockHolders(anchorFiles(run).liveness))
  }
  if (hasProot(host)) await stopProotProcesses(lock, {graceMs})
  return []
}

/** Without proot on the host, a search through all processes of the host would find nothing. */
function hasProot({which}: Pick<Host, 'which'>): boolean {
  return which('proot') !== undefined
}

async function processesOf(
  host: Host,
  {name, files}: Pick<Environment, 'name' | 'files'>,
): Promise<EnvironmentProcess[]> {
  const programs = await listPrograms(files.run)
  const processes = guestProcesses(host, files)
  return processes.map((process) => ({environment: name, ...process, program: programOf(process, programs)}))
}

/** Lists the processes of an environment, with any engine. */
export function guestProcesses(
  host: Pick<Host, 'which'>,
  {run, lock, root}: Pick<EnvironmentFiles, 'run' | 'lock' | 'root'>,
): GuestProcess[] {
  const anchor = readLiveAnchor(run)
  if (anchor !== undefined) return listProcesses(anchor, {hasInit: recordedInit(run) !== undefined})
  // proot can't mount layers: it only runs environments that have a root folder.
  return hasProot(host) && existsSync(root) ? listProotProcesses(lock) : []
}

/** Returns whether an environment runs, with any engine. */
export function isRunning(
  host: Pick<Host, 'which'>,
  files: Pick<EnvironmentFiles, 'run' | 'lock' | 'root'>,
): boolean {
  return readLiveAnchor(files.run) !== undefined || guestProcesses(host, files).length > 0
}

/** Reads the sockets of processes of an environment, and their units; without Perl, only of those with this user's id. */
export async function inspectGuest(
  host: Pick<Host, 'which' | 'architecture'>,
  {run}: Pick<EnvironmentFiles, 'run'>,
  processes: readonly GuestProcess[],
): Promise<Inspection> {
  const anchor = readLiveAnchor(run)
  const canJoin = anchor !== undefined && findPerl(host) !== undefined
  return inspectProcesses(
    processes.map(({hostPid}) => hostPid),
    {variable: UNIT_VARIABLE, by: canJoin ? {inspector: processInspector(host), anchor} : undefined},
  )
}

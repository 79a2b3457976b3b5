import {existsSync} from 'node:fs'
import {basename, dirname} from 'node:path'
import type {Host} from '../../host/host.js'
import {lockHolders} from '../../host/locks.js'
import {findPerl} from '../../host/process.js'
import {anchorFiles, readLiveAnchor} from '../../sandbox/anchor-state.js'
import {listProotProcesses, stopProotProcesses} from '../../sandbox/engines/proot.js'
import {anchorUnreachableError} from '../../sandbox/errors.js'
import {type GuestProcess, listProcesses, stopAnchor} from '../../sandbox/processes.js'
import {
  type Environment,
  type EnvironmentFiles,
  environmentFiles,
  findEnvironment,
  listNames,
  repairRunFolder,
} from '../../store/environments.js'
import {signalSender} from '../../store/tools.js'

export type EnvironmentProcess = GuestProcess & {readonly environment: string}

/** Time that services have to end after SIGTERM, before SIGKILL. */
const STOP_GRACE_MS = 5000

/** Lists the processes of one environment, or of all environments where `text` is undefined. */
export async function environmentProcesses(
  host: Host,
  text: string | undefined,
): Promise<EnvironmentProcess[]> {
  if (text !== undefined) return processesOf(host, await findEnvironment(host.paths, text))
  return (await listNames(host.paths)).flatMap((name) => {
    const files = environmentFiles(host.paths, name)
    repairRunFolder(files)
    return processesOf(host, {name, files})
  })
}

/** Stops an environment. @returns Whether the environment was running. */
export async function stopEnvironment(
  host: Host,
  text: string,
  {graceMs = STOP_GRACE_MS} = {},
): Promise<boolean> {
  const environment = await findEnvironment(host.paths, text)
  const {files} = environment
  const wasRunning = readLiveAnchor(files.run) !== undefined || processesOf(host, environment).length > 0
  await stopFiles(host, files, {graceMs})
  return wasRunning
}

/**
 * Stops the processes of an environment, also of one whose record is damaged.
 *
 * @throws {@link anchorUnreachableError} When the first process does not end.
 */
export async function stopFiles(
  host: Host,
  {run, lock}: Pick<EnvironmentFiles, 'run' | 'lock'>,
  {graceMs = STOP_GRACE_MS} = {},
): Promise<void> {
  const sender = findPerl(host) === undefined ? undefined : signalSender(host)
  if (readLiveAnchor(run) !== undefined) {
    if (await stopAnchor(run, {sender, graceMs})) return
    throw anchorUnreachableError(basename(dirname(run)), await lockHolders(anchorFiles(run).liveness))
  }
  if (hasProot(host)) await stopProotProcesses(lock, {graceMs})
}

/** Without proot on the host, a search through all processes of the host would find nothing. */
function hasProot({which}: Pick<Host, 'which'>): boolean {
  return which('proot') !== undefined
}

function processesOf(host: Host, {name, files}: Pick<Environment, 'name' | 'files'>): EnvironmentProcess[] {
  return guestProcesses(host, files).map((process) => ({environment: name, ...process}))
}

/** Lists the processes of an environment, with any engine. */
export function guestProcesses(
  host: Pick<Host, 'which'>,
  {run, lock, root}: Pick<EnvironmentFiles, 'run' | 'lock' | 'root'>,
): GuestProcess[] {
  const anchor = readLiveAnchor(run)
  if (anchor !== undefined) return listProcesses(anchor)
  // proot can't mount layers: it only runs environments that have a root folder.
  return hasProot(host) && existsSync(root) ? listProotProcesses(lock) : []
}

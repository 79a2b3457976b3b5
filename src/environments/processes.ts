import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {type GuestProcess, listProcesses, stopAnchor} from '../sandbox/processes.js'
import {
  type Environment,
  type EnvironmentFiles,
  environmentFiles,
  findEnvironment,
  listNames,
} from './store.js'
import {toolPath} from './toolbox.js'

export type EnvironmentProcess = GuestProcess & {readonly environment: string}

/** How long services may take to end by themselves before the kernel ends them. */
const STOP_GRACE_MS = 5000

/** What runs in one environment, or in all of them. */
export async function environmentProcesses(
  host: Host,
  text: string | undefined,
): Promise<EnvironmentProcess[]> {
  if (text !== undefined) return processesOf(await findEnvironment(host.paths, text))
  return (await listNames(host.paths)).flatMap((name) =>
    processesOf({name, files: environmentFiles(host.paths, name)}),
  )
}

/** @returns Whether it was running. */
export async function stopEnvironment(
  host: Host,
  text: string,
  {graceMs = STOP_GRACE_MS} = {},
): Promise<boolean> {
  const {files} = await findEnvironment(host.paths, text)
  const wasRunning = readLiveAnchor(files.run) !== undefined
  await stopFiles(host, files, {graceMs})
  return wasRunning
}

/** Stops what runs on a tree, whether its record can be read or not. */
export async function stopFiles(
  host: Host,
  {run}: Pick<EnvironmentFiles, 'run'>,
  {graceMs = STOP_GRACE_MS} = {},
): Promise<void> {
  await stopAnchor(run, {nsenter: toolPath(host, 'nsenter'), graceMs})
}

function processesOf({name, files}: Pick<Environment, 'name' | 'files'>): EnvironmentProcess[] {
  const anchor = readLiveAnchor(files.run)
  return anchor === undefined ? [] : listProcesses(anchor).map((process) => ({environment: name, ...process}))
}

import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {type GuestProcess, listProcesses, stopAnchor} from '../sandbox/processes.js'
import {type Environment, type EnvironmentFiles, findEnvironment, listNames} from './store.js'
import {toolPath} from './toolbox.js'

export type EnvironmentProcess = GuestProcess & {readonly environment: string}

/** How long services may take to end by themselves before the kernel ends them. */
const STOP_GRACE_MS = 5000

/** What runs in one environment, or in all of them. */
export async function environmentProcesses(
  host: Host,
  text: string | undefined,
): Promise<EnvironmentProcess[]> {
  const names = text === undefined ? await listNames(host.paths) : [text]
  const environments = await Promise.all(names.map((name) => findEnvironment(host.paths, name)))
  return environments.flatMap(processesOf)
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

function processesOf({name, files}: Environment): EnvironmentProcess[] {
  const anchor = readLiveAnchor(files.run)
  return anchor === undefined ? [] : listProcesses(anchor).map((process) => ({environment: name, ...process}))
}

import {ignoring} from '../host/errno.js'
import type {Host} from '../host/host.js'
import type {TreeProcess} from '../rootfs/tree-process.js'
import {enterMemory, fullMemory, type MemoryHolder} from '../sandbox/memory.js'
import {readMemory} from '../sandbox/memory-state.js'
import type {History} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {tryLostError} from './errors.js'
import type {Environment, EnvironmentFiles} from './store.js'
import {processBehind, rootProcess, toolPath} from './toolbox.js'

type Subject = {
  readonly name: string
  readonly files: Pick<EnvironmentFiles, 'run'>
  readonly record: Pick<Environment['record'], 'identity'>
}

/** Who holds the layer that an environment writes to, where that is in memory. @throws {@link tryLostError} */
export function upperHolder(
  {name, files}: Pick<Subject, 'name' | 'files'>,
  {upper}: Pick<History, 'upper'>,
): MemoryHolder | undefined {
  const holder = readMemory(files.run, upper)
  if (holder === 'lost') throw tryLostError({name})
  return holder
}

/** How programs are started that see all layers of an environment, as root of its user namespace. @throws {@link tryLostError} */
export async function layersProcess(
  host: Host,
  subject: Subject,
  history: Pick<History, 'upper'>,
): Promise<TreeProcess> {
  const holder = upperHolder(subject, history)
  if (holder === undefined) return rootProcess(host, subject.record.identity)
  return processBehind(host, enterMemory(holder, toolPath(host, 'nsenter')))
}

/** How much memory the environment was given, where hardly any of it is left. */
export async function fullUpper(
  {paths}: Pick<Host, 'paths'>,
  {files, record}: Environment,
): Promise<number | undefined> {
  if (record.storage !== 'overlay') return undefined
  const {upper} = await readHistory(files.history)
  const holder = readMemory(files.run, upper)
  if (holder === undefined || holder === 'lost') return undefined
  return fullMemory(holder, layerFiles(paths.layers, upper).folder)
}

/** Whether what it wrote was in memory, and that is gone: nothing of it can be had any more. */
export async function isLost(files: Pick<EnvironmentFiles, 'run' | 'history'>): Promise<boolean> {
  const history = await readHistory(files.history).catch(ignoring('ENOENT'))
  return history !== undefined && readMemory(files.run, history.upper) === 'lost'
}

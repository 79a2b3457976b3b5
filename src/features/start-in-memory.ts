import {stat} from 'node:fs/promises'
import {removeLayerFolder} from '../environments/layer-folders.js'
import type {EnvironmentName} from '../environments/name.js'
import type {EnvironmentFiles} from '../environments/store.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {holdMemory} from '../sandbox/memory.js'
import {recordMemory} from '../sandbox/memory-state.js'
import {withSnapshot} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {identityOf, type LayerId, newLayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'
import {memoryTools} from './memory-support.js'

type NewUpper = {
  readonly name: EnvironmentName
  readonly files: Pick<EnvironmentFiles, 'run' | 'history'>
  readonly bytes: number
  /** How long the files outlive the process that made them. */
  readonly keptForMs: number
}

/**
 * Lays an upper layer in memory over the one that a new environment began with.
 *
 * @returns undefined where that can't be: then it is as it was, on the disk.
 */
export async function moveUpperIntoMemory(
  host: Host,
  {name, files, bytes, keptForMs}: NewUpper,
): Promise<LayerId | undefined> {
  const history = await readHistory(files.history)
  const {layers} = host.paths
  const identity = identityOf(history.upper)
  const fresh = newLayerId(identity)
  const {folder} = layerFiles(layers, fresh)
  const {mode} = await stat(layerFiles(layers, history.upper).tree)
  await makeUpper(layers, fresh, {below: history.upper})
  const tools = await memoryTools(host, identity)
  const holder = await holdMemory({...tools, at: folder, mode, bytes, keptForMs})
  if (holder === undefined) {
    await removeLayerFolder(host, {identity, folder})
    return undefined
  }
  await makeFolders(files.run, {mode: 0o700})
  await recordMemory(files.run, fresh, holder)
  const naming = {label: 'initial', kind: 'initial', name} as const
  await writeHistory(files.history, withSnapshot(history, naming, {now: host.now(), fresh}))
  return fresh
}

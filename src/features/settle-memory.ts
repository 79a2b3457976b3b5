import {mkdir} from 'node:fs/promises'
import {removeUnlessNamed} from '../environments/layer-folders.js'
import {holdLayers} from '../environments/layer-locks.js'
import {sweepLayers} from '../environments/layer-sweep.js'
import {layersProcess, upperHolder} from '../environments/memory-upper.js'
import type {Environment} from '../environments/store.js'
import {toolPath} from '../environments/toolbox.js'
import {syncFileSystem} from '../host/file-system-sync.js'
import type {Host} from '../host/host.js'
import {copyTree} from '../rootfs/copy.js'
import {dropMemory} from '../sandbox/memory-state.js'
import {topLayer} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {newLayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'

/**
 * Copies what an environment at rest has in memory to the disk, under its exclusive lock. One write of its history is the
 * step; whenever it is broken off, nothing is lost.
 *
 * @throws {@link tryLostError} @throws As `copyTree`.
 */
export async function settleMemory(
  host: Host,
  subject: Pick<Environment, 'name' | 'files' | 'record'>,
): Promise<void> {
  const {files, record} = subject
  if (record.storage !== 'overlay') return
  const history = await readHistory(files.history)
  if (upperHolder(subject, history) === undefined) return
  const {layers} = host.paths
  const held = await holdLayers(host.paths)
  const copy = newLayerId(record.identity)
  const {folder, tree} = layerFiles(layers, copy)
  try {
    await mkdir(folder, {mode: 0o700})
    const plan = {
      cp: toolPath(host, 'cp'),
      from: layerFiles(layers, history.upper).tree,
      to: tree,
      keepOwners: record.identity === 'mapped',
    }
    const reader = await layersProcess(host, subject, history)
    await copyTree(reader, plan, {signal: new AbortController().signal})
    await makeUpper(layers, copy, {below: topLayer(history.layers)})
    await syncFileSystem(folder)
    await writeHistory(files.history, {...history, upper: copy})
  } catch (error) {
    await removeUnlessNamed(host, files, copy)
    throw error
  } finally {
    held.release()
  }
  await dropMemory(files.run)
  await sweepLayers(host, new Set([history.upper]))
}

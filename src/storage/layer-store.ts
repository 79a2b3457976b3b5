import {chmod, mkdir, readdir, stat} from 'node:fs/promises'
import {errnoOf} from '../errors.js'
import {makeFolders} from '../host/folders.js'
import {layerFiles} from './layer-files.js'
import type {LayerId} from './layer-id.js'

/**
 * Makes an empty layer that can be written to, or what is missing of it: an empty one may have been taken for a leftover
 * before anything named it.
 *
 * @param below - The layer under it, whose root's permissions the new root takes over.
 */
export async function makeUpper(
  layers: string,
  id: LayerId,
  {below}: {readonly below: LayerId},
): Promise<void> {
  const {folder, tree, work} = layerFiles(layers, id)
  await makeFolders(folder, {mode: 0o700})
  await mkdir(work, {mode: 0o700}).catch(unlessThere)
  const isNew = await mkdir(tree, {mode: 0o700}).then(() => true, unlessThere)
  if (isNew !== true) return
  const {mode} = await stat(layerFiles(layers, below).tree)
  await chmod(tree, mode & 0o777)
}

/** Whether a layer changes nothing of those below it. */
export async function isEmptyLayer(layers: string, id: LayerId): Promise<boolean> {
  const names = await readdir(layerFiles(layers, id).tree).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  return names.length === 0
}

function unlessThere(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error
}

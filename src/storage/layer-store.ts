import {chmodSync, mkdirSync, rmdirSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno, unlessErrno} from '../host/errno.js'
import {makeFolders, namesIn} from '../host/folders.js'
import {filesIn, layerFiles} from './layer-files.js'
import type {LayerId} from './layer-id.js'

/**
 * Makes an empty upper layer, or its missing parts: it may have been removed as a leftover before a history
 * named it.
 *
 * @param below - The layer under it, whose root's permissions the new root gets.
 */
export async function makeUpper(
  layers: string,
  id: LayerId,
  {below}: {readonly below: LayerId},
): Promise<void> {
  const {folder, tree, work} = layerFiles(layers, id)
  await makeFolders(folder, {mode: 0o700})
  makeUnlessThere(work)
  if (!makeUnlessThere(tree)) return
  chmodSync(tree, statSync(layerFiles(layers, below).tree).mode & 0o777)
}

/** Returns whether a layer contains no changes. */
export async function isEmptyLayer(layers: string, id: LayerId): Promise<boolean> {
  return namesIn(layerFiles(layers, id).tree).length === 0
}

/**
 * Removes a layer that contains no changes and will not be used again.
 *
 * @param folder - Of the layer, under its present name.
 * @returns Whether it was removed; otherwise its files are still there.
 */
export function removeEmptyLayer(folder: string): boolean {
  const {tree, work} = filesIn(folder)
  try {
    rmdirSync(tree)
    rmdirUnlessMissing(join(work, KERNELS_OWN))
    rmdirSync(work)
    rmdirSync(folder)
    return true
  } catch (error) {
    if (!isErrno(error)) throw error
    return false
  }
}

/** overlayfs makes this folder at the first mount, and leaves it there. */
const KERNELS_OWN = 'work'

function rmdirUnlessMissing(path: string): void {
  unlessErrno(() => rmdirSync(path), 'ENOENT')
}

/** @returns Whether the folder was made. */
function makeUnlessThere(folder: string): boolean {
  try {
    mkdirSync(folder, {mode: 0o700})
    return true
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    return false
  }
}

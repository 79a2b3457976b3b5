import {chmodSync, mkdirSync, rmdirSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno, unlessErrno} from '../host/errno.js'
import {makeFolders, namesIn} from '../host/folders.js'
import {filesIn, layerFiles} from './layer-files.js'
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
  makeUnlessThere(work)
  if (!makeUnlessThere(tree)) return
  chmodSync(tree, statSync(layerFiles(layers, below).tree).mode & 0o777)
}

/** Whether a layer changes nothing of those below it. */
export async function isEmptyLayer(layers: string, id: LayerId): Promise<boolean> {
  return namesIn(layerFiles(layers, id).tree).length === 0
}

/**
 * Takes away a layer that changes nothing and that nobody is to use again.
 *
 * @param folder - Of the layer, whatever it is called by now.
 * @returns Whether it is gone; where not, all that was written to it is still there.
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

/** What overlayfs makes in its folder at the first mount, and leaves there. */
const KERNELS_OWN = 'work'

function rmdirUnlessMissing(path: string): void {
  unlessErrno(() => rmdirSync(path), 'ENOENT')
}

/** @returns Whether it was not there. */
function makeUnlessThere(folder: string): boolean {
  try {
    mkdirSync(folder, {mode: 0o700})
    return true
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    return false
  }
}

import {ask, type TreeProcess} from './ask-worker.js'
import type {PackedImage, PackRequest} from './worker-request.js'

export type {PackedImage} from './worker-request.js'

/**
 * Makes an image from a new tree, and removes files from it that belong to no image.
 *
 * @param tree - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @throws {WorkerFailure} ENVS_STORAGE_FULL, ENVS_STORAGE_FAILED @throws {WorkerDiedError}
 */
export async function packImage(
  tree: TreeProcess,
  request: PackRequest,
  options: {signal?: AbortSignal; onProgress?: (progress: {entries: number; bytes: number}) => void} = {},
): Promise<PackedImage> {
  return ask(tree, 'pack', {request, ...options})
}

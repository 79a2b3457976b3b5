import {ask, type TreeProcess} from './ask-worker.js'
import type {PackRequest} from './worker-request.js'
import {parsePackedImage} from './worker-results.js'
import type {PackedImage} from './worker-verbs/pack.js'

export type {PackedImage} from './worker-verbs/pack.js'

/**
 * Makes an image from a new tree, and removes files from it that belong to no image.
 *
 * @param tree - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @throws {WorkerFailure} ENVS_STORAGE_FULL, ENVS_STORAGE_FAILED @throws {WorkerDiedError}
 */
export async function packImage(
  tree: TreeProcess,
  request: Omit<PackRequest, 'verb'>,
  options: {signal?: AbortSignal; onProgress?: (progress: {entries: number; bytes: number}) => void} = {},
): Promise<PackedImage> {
  return parsePackedImage(await ask(tree, {verb: 'pack', ...request}, options))
}

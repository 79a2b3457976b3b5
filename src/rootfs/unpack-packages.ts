import {Readable} from 'node:stream'
import {ask, type TreeProcess} from './ask-worker.js'
import type {DebFile} from './debs/open-deb.js'
import type {UnpackDebsReport} from './debs/unpack-debs.js'
import type {UnpackRequest} from './worker-request.js'

/**
 * Unpacks packages into an empty folder as dpkg would, each as soon as it comes. What is there after an error, or an abort,
 * is a part.
 *
 * @param onProgress - Packages that were unpacked, and bytes that were written; at most ten times a second.
 * @throws {WorkerFailure} ENVS_PACKAGE_REFUSED, ENVS_STORAGE_FULL, … @throws {WorkerDiedError}
 * @throws What the iteration throws; the signal's reason when it is aborted, and the worker gone.
 */
export async function unpackPackages(
  tree: TreeProcess,
  debs: AsyncIterable<DebFile>,
  request: UnpackRequest,
  {
    onProgress,
    signal,
  }: {
    signal?: AbortSignal
    onProgress?: (progress: {readonly packages: number; readonly bytes: number}) => void
  } = {},
): Promise<UnpackDebsReport> {
  return ask(tree, 'unpack', {
    request,
    source: Readable.from(linesOf(debs)),
    ...(signal === undefined ? {} : {signal}),
    ...(onProgress === undefined
      ? {}
      : {onProgress: ({entries, bytes}) => onProgress({packages: entries, bytes})}),
  })
}

async function* linesOf(debs: AsyncIterable<DebFile>): AsyncGenerator<string> {
  for await (const {name, path} of debs) yield `${JSON.stringify({name, path})}\n`
}

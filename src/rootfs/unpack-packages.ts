import {Readable} from 'node:stream'
import {ask, type TreeProcess} from './ask-worker.js'
import type {DebFile} from './debs/open-deb.js'
import type {UnpackDebsReport} from './debs/unpack-debs.js'
import type {UnpackRequest} from './worker-request.js'

/**
 * Unpacks packages into an empty folder as dpkg does, each as soon as it arrives. After an error or an abort,
 * a partial tree remains.
 *
 * @param onProgress - Unpacked packages and written bytes; at most ten times a second.
 * @throws {WorkerFailure} ENVS_PACKAGE_REFUSED, ENVS_STORAGE_FULL, … @throws {WorkerDiedError}
 * @throws The error of the iteration; the signal's reason after an abort. The worker has ended then.
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

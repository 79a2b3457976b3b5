import {createInterface} from 'node:readline'
import {openHost} from '../../host/host.js'
import type {DebFile} from '../debs/open-deb.js'
import {type UnpackDebsOptions, type UnpackDebsReport, unpackDebs} from '../debs/unpack-debs.js'
import {explainErrno} from '../errors.js'
import type {UnpackRequest} from '../worker-request.js'

/** Packages arrive as lines of JSON on standard input, each as soon as it is downloaded. */
export async function unpack(
  {root, ...request}: UnpackRequest,
  onProgress: NonNullable<UnpackDebsOptions['onProgress']>,
): Promise<UnpackDebsReport> {
  const {which} = openHost()
  try {
    return await unpackDebs(readDebs(), root, {...request, which, onProgress})
  } catch (error) {
    throw explainErrno(error, root)
  }
}

async function* readDebs(): AsyncGenerator<DebFile> {
  for await (const line of createInterface({input: process.stdin})) {
    yield JSON.parse(line)
  }
}

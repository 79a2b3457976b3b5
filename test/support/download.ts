import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import type {IncomingMessage, RequestListener} from 'node:http'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {isSha256, type Sha256} from '../../src/host/digest.js'
import {type Downloaded, type DownloadOptions, download} from '../../src/host/http/download.js'
import {answerWithFile, type FileAnswer, startServer, type TestServer} from './http-server.js'
import {temporaryFolder} from './temporary-folder.js'

export type DownloadSetting = {
  readonly server: TestServer
  /** Empty but for what the downloads put there. */
  readonly folder: string
  readonly destination: string
  /** Downloads `/file` of the server, without proxies and with next to no wait between tries. */
  readonly fetchFile: (options?: Partial<DownloadOptions>) => Promise<Downloaded>
}

/** A server that answers request `hit`, from 0, as `script` says, and a download from it into a fresh folder. */
export async function given(
  t: TestContext,
  script: (hit: number, request: IncomingMessage) => FileAnswer | RequestListener,
): Promise<DownloadSetting> {
  const client = {receivedBytes: 0}
  const server = await startServer(t, (request, response, hit) => {
    const answer = script(hit, request)
    if (typeof answer === 'function') answer(request, response)
    else answerWithFile(request, response, answer, client)
  })
  const folder = await temporaryFolder(t)
  const destination = join(folder, 'file')
  const url = new URL('/file', server.origin)
  const defaults = {url, destination, environment: {}, maxBytes: 1_000_000, backoffMs: 1}
  return {
    server,
    folder,
    destination,
    fetchFile: (options = {}) => {
      client.receivedBytes = 0
      return download({
        ...defaults,
        ...options,
        onProgress: (event) => {
          if (event.stage === 'download') client.receivedBytes = event.receivedBytes
          options.onProgress?.(event)
        },
      })
    },
  }
}

export function digestOf(bytes: Buffer): Sha256 {
  const digest = createHash('sha256').update(bytes).digest('hex')
  assert(isSha256(digest))
  return digest
}

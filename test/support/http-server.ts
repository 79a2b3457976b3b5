import {createServer, type IncomingMessage, type RequestListener, type ServerResponse} from 'node:http'
import {createServer as createTlsServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import type {Scope} from './cli.js'

/** One request as the server saw it. */
export type Seen = {
  readonly method: string | undefined
  readonly target: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Answers one request; `hit` counts from 0. */
export type Handler = (request: IncomingMessage, response: ServerResponse, hit: number) => void

export type TestServer = {
  readonly origin: URL
  /** In the order they came; it grows while the test runs. */
  readonly seen: readonly Seen[]
}

type Options = {readonly tls?: {readonly key: string; readonly cert: string}; readonly host?: string}

/** A real server on a free port of the loopback, gone with all its connections when the test ends. */
export async function startServer(
  t: Scope,
  handler: Handler,
  {tls, host = '127.0.0.1'}: Options = {},
): Promise<TestServer> {
  const seen: Seen[] = []
  const listener: RequestListener = (request, response) => {
    seen.push({method: request.method, target: request.url, headers: request.headers})
    handler(request, response, seen.length - 1)
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  t.after(async () => {
    server.close()
    server.closeAllConnections()
  })
  const {port} = server.address() as AddressInfo
  const scheme = tls === undefined ? 'http' : 'https'
  return {origin: new URL(`${scheme}://${host}:${port}/`), seen}
}

export type FileAnswer = {
  readonly body: Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Cuts the connection after so many bytes of this answer's body, once the client has taken them in. */
  readonly breakAfterBytes?: number
  /** Answers a range with all of it, as servers do that know no ranges. */
  readonly ignoresRanges?: boolean
  /** Does as if `If-Range` were not there. */
  readonly ignoresCondition?: boolean
}

/** How far the client under test has come, as it says itself; lets a server cut at an exact byte. */
export type ClientProgress = {receivedBytes: number}

/** Answers like an ordinary file server: Range, If-Range, 206 and 416, or the misbehaviour asked for. */
export function answerWithFile(
  request: IncomingMessage,
  response: ServerResponse,
  {body, headers = {}, breakAfterBytes, ignoresRanges = false, ignoresCondition = false}: FileAnswer,
  client: ClientProgress = {receivedBytes: Number.POSITIVE_INFINITY},
): void {
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
  const condition = request.headers['if-range']
  const isSame =
    ignoresCondition || condition === undefined || Object.values(headers).includes(String(condition))
  const isRange = !ignoresRanges && isSame && asked !== undefined
  const first = isRange ? Number(asked) : 0
  if (isRange && first >= body.length) {
    response.writeHead(416, {'content-range': `bytes */${body.length}`}).end()
    return
  }
  const sent = body.subarray(first)
  response.writeHead(isRange ? 206 : 200, {
    'content-length': sent.length,
    ...(isRange ? {'content-range': `bytes ${first}-${body.length - 1}/${body.length}`} : {}),
    ...headers,
  })
  if (breakAfterBytes === undefined) {
    response.end(sent)
    return
  }
  response.write(sent.subarray(0, breakAfterBytes))
  const cut = setInterval(() => {
    if (client.receivedBytes < first + breakAfterBytes && !response.destroyed) return
    clearInterval(cut)
    response.destroy()
  }, 2)
}

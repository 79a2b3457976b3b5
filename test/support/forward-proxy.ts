import {createServer, request as sendRequest} from 'node:http'
import {type AddressInfo, connect} from 'node:net'
import type {TestContext} from 'node:test'

export type ForwardProxy = {
  readonly url: URL
  /** `GET http://…` and `CONNECT host:port` lines as they came. */
  readonly lines: readonly string[]
  /** The Proxy-Authorization of each. */
  readonly credentials: readonly (string | undefined)[]
}

/** A real forward proxy: absolute-form requests are passed on, CONNECT makes a tunnel. */
export async function startForwardProxy(t: TestContext): Promise<ForwardProxy> {
  const lines: string[] = []
  const credentials: (string | undefined)[] = []
  const server = createServer((request, response) => {
    lines.push(`${request.method} ${request.url}`)
    credentials.push(request.headers['proxy-authorization'])
    if (request.url === undefined || !URL.canParse(request.url)) {
      response.writeHead(400).end()
      return
    }
    const {'proxy-authorization': _, ...headers} = request.headers
    const passedOn = sendRequest(request.url, {headers, agent: false}, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passedOn.on('error', () => response.writeHead(502).end())
    request.pipe(passedOn)
  })
  server.on('connect', (request, client, head) => {
    lines.push(`CONNECT ${request.url}`)
    credentials.push(request.headers['proxy-authorization'])
    const [host = '', port = ''] = (request.url ?? '').split(':')
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      target.write(head)
      target.pipe(client).pipe(target)
    })
    target.on('error', () => client.destroy())
    client.on('error', () => target.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const {port} = server.address() as AddressInfo
  return {url: new URL(`http://127.0.0.1:${port}/`), lines, credentials}
}

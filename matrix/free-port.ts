import {createServer} from 'node:net'

/** Returns a TCP port without a listener on this host. */
export function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address === null || typeof address === 'string' ? undefined : address.port
      server.close(() => (port === undefined ? reject(new Error('no port')) : resolve(port)))
    })
  })
}

import type {Archive} from './archive.js'
import type {Scope} from './cli.js'
import {answerWithFile, startServer} from './http-server.js'
import {keyringsText, scopedTo} from './scoped-keyrings.js'

/** A network in which a publisher's own server is in reach, and nothing else. */
export type PublisherProxy = {
  /** The variables that have a program go through it. */
  readonly variables: Readonly<Record<string, string>>
  /** Hosts that were asked for, each once, in the order they came. */
  hosts(): string[]
}

/** @param url - As the program is to know it, `http://ports.ubuntu.com/ubuntu-ports`: all that is in the archive is there. */
export async function startPublisherProxy(
  scope: Scope,
  {url, archive, root}: {url: string; archive: Archive; root: string},
): Promise<PublisherProxy> {
  const server = await startServer(scope, (request, response) => {
    const asked = request.url ?? ''
    const path = asked.startsWith(`${url}/`) ? root + asked.slice(url.length) : ''
    const body = archive.files.get(decodeURIComponent(path))
    if (!asked.startsWith(`${url}/`)) response.writeHead(502).end('no way there')
    else if (body === undefined) response.writeHead(404).end('not found')
    else answerWithFile(request, response, {body})
  })
  return {
    variables: {http_proxy: server.origin.href, ENVS_KEYRINGS: keyringsText(scopedTo(url, archive.keyrings))},
    hosts: () => [...new Set(server.seen.map(({target}) => new URL(target ?? '').host))],
  }
}

import {setMaxListeners} from 'node:events'
import {type Agents, agentsFor} from './agents.js'

type Route = {readonly proxy: URL | undefined; readonly authorities: readonly string[] | undefined}

/**
 * Connections that several downloads use in turn, at most so many to one server.
 *
 * A server could send more than it announced, and have it taken for the next answer: only for bodies whose digest is known.
 */
export class Connections {
  readonly #agents = new Map<string, Promise<Agents>>()
  readonly #end = new AbortController()

  constructor(private readonly most: number) {
    // Each connection to a proxy listens to it, and more than ten are no leak.
    setMaxListeners(0, this.#end.signal)
  }

  agentsFor(url: URL, route: Route): Promise<Agents> {
    const key = `${url.protocol} ${route.proxy?.href ?? ''}`
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const made = agentsFor(url, {...route, signal: this.#end.signal, kept: this.most})
    this.#agents.set(key, made)
    return made
  }

  /** Ends those that nobody uses and those in use. */
  async close(): Promise<void> {
    this.#end.abort()
    for (const made of await Promise.allSettled(this.#agents.values())) {
      if (made.status !== 'fulfilled') continue
      made.value.http?.destroy()
      made.value.https?.destroy()
    }
  }
}

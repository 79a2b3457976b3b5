import {BlockList, isIP} from 'node:net'
import {malformedProxyError} from './errors.js'

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

const OFFLINE = 'ENVS_OFFLINE'

/** Returns the environment with which each request is refused before it is sent. */
export function offlineEnvironment(environment: Environment): Environment {
  return {...environment, [OFFLINE]: '1'}
}

export function isOffline(environment: Environment): boolean {
  return environment[OFFLINE] === '1'
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = {'http:': '80', 'https:': '443'}

/**
 * Returns the proxy for a URL by `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, lower case before upper.
 *
 * A name in `no_proxy` matches itself and its subdomains, also as `.name` and `*.name`; `name:port` matches only
 * that port; `10.0.0.0/8` a range of addresses; `*` everything.
 *
 * @returns The URL, `http:` if the variable names no scheme, or undefined for a direct connection. Its scheme may
 * be unsupported.
 * @throws {@link malformedProxyError}
 * @see curl(1), ENVIRONMENT
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const scheme = url.protocol.slice(0, -1)
  const [name, value] =
    readVariable(environment, `${scheme}_proxy`) ?? readVariable(environment, 'all_proxy') ?? []
  if (name === undefined || value === undefined) return undefined
  if (isExempt(url, readVariable(environment, 'no_proxy')?.[1] ?? '')) return undefined
  const text = proxyUrl(value)
  // The value may hold a password.
  if (!URL.canParse(text)) throw malformedProxyError({name})
  return new URL(text)
}

/** Returns the names of the variables whose value is not the URL of a proxy. */
export function malformedProxies(environment: Environment): string[] {
  return ['http_proxy', 'https_proxy', 'all_proxy'].flatMap((each) => {
    const [name, value] = readVariable(environment, each) ?? []
    return name === undefined || value === undefined || URL.canParse(proxyUrl(value)) ? [] : [name]
  })
}

function proxyUrl(value: string): string {
  return value.includes('://') ? value : `http://${value}`
}

/** Returns the name and the value of a variable, in lower case or else in upper case. */
function readVariable(
  environment: Environment,
  name: string,
): readonly [name: string, value: string] | undefined {
  for (const each of [name, name.toUpperCase()]) {
    const value = environment[each]
    if (value) return [each, value]
  }
  return undefined
}

function isExempt(url: URL, list: string): boolean {
  const port = url.port || DEFAULT_PORTS[url.protocol]
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || matchesExemption(entry, host, port))
}

function matchesExemption(entry: string, host: string, port: string | undefined): boolean {
  const withPort = /^(?<name>\[.*\]|[^:]+):(?<port>\d+)$/.exec(entry)?.groups
  if (withPort !== undefined && withPort['port'] !== port) return false
  const name = (withPort?.['name'] ?? entry).replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return name === host || isInSubnet(host, name)
  const domain = name.replace(/^\*?\./, '')
  return host === domain || host.endsWith(`.${domain}`)
}

function isInSubnet(host: string, subnet: string): boolean {
  const {network = '', bits = ''} = /^(?<network>[^/]+)\/(?<bits>\d{1,3})$/.exec(subnet)?.groups ?? {}
  const family = isIP(network)
  if (family === 0 || family !== isIP(host) || Number(bits) > (family === 4 ? 32 : 128)) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(network, Number(bits), kind)
  return list.check(host, kind)
}

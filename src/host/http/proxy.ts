import {BlockList, isIP} from 'node:net'

export type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_PORTS: Readonly<Record<string, string>> = {'http:': '80', 'https:': '443'}

/**
 * The proxy that `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` ask for, lower case before upper.
 *
 * A name in `no_proxy` means itself and all below it, `.name` and `*.name` too; `name:port` that port only;
 * `10.0.0.0/8` a range of addresses; `*` everything.
 *
 * @returns The URL, `http:` where the variable names no scheme, or undefined for a direct connection. Its
 *   scheme may be one that envs can't speak.
 * @see curl(1), ENVIRONMENT
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const scheme = url.protocol.slice(0, -1)
  const value = read(environment, `${scheme}_proxy`) ?? read(environment, 'all_proxy')
  if (value === undefined || isExempt(url, read(environment, 'no_proxy') ?? '')) return undefined
  const text = value.includes('://') ? value : `http://${value}`
  return URL.canParse(text) ? new URL(text) : undefined
}

function read(environment: Environment, name: string): string | undefined {
  return environment[name] || environment[name.toUpperCase()] || undefined
}

function isExempt(url: URL, list: string): boolean {
  const port = url.port || DEFAULT_PORTS[url.protocol]
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || covers(entry, host, port))
}

function covers(entry: string, host: string, port: string | undefined): boolean {
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

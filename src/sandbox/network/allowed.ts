import {isIP} from 'node:net'
import {UsageError} from '../../errors.js'
import {canonicalAddress} from './publication.js'

const BITS = {4: 32, 6: 128} as const

/** Parses a network or an address that an environment may reach: `192.0.2.0/24`, `2001:db8::1`. @throws {UsageError} */
export function parseAllowedNetwork(text: string): string {
  const [address = '', length, ...more] = text.split('/')
  const kind = isIP(address)
  const bits = kind === 4 || kind === 6 ? BITS[kind] : 0
  const prefix = length ?? String(bits)
  if (bits === 0 || more.length > 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)
    throw new UsageError(`"${text}" is not a valid network.`, [
      'Write an address or a network: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32',
    ])
  return `${canonicalAddress(address)}/${Number(prefix)}`
}

const HOST_NAME = /^\.?[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?::(?<port>\d{1,5}))?$/

/** Parses a host that an environment may reach: `deb.example.org`, `.example.org`, each with `:PORT` or not. @throws {UsageError} */
export function parseAllowedHost(text: string): string {
  const name = text.toLowerCase()
  const match = HOST_NAME.exec(name)
  if (match === null || Number(match.groups?.['port'] ?? '1') > 65_535)
    throw new UsageError(`"${text}" is not the name of a host.`, [
      'Write a name, a domain or a name with a port: deb.example.org, .example.org, git.example.org:22',
    ])
  return name
}

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

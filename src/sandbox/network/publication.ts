import {isIP} from 'node:net'
import * as v from 'valibot'
import {UsageError} from '../../errors.js'
import {numberField, type RecordOf} from '../../host/records.js'

/** A TCP port of the host whose connections lead to a port of an environment. */
export const publicationSchema = v.object({
  /** IPv4 or IPv6 address of the host; `0.0.0.0` and `::` for all of one kind. */
  address: v.string(),
  port: numberField,
  guestPort: numberField,
})

export type Publication = RecordOf<typeof publicationSchema>

const LOCALHOST = '127.0.0.1'
const HIGHEST_PORT = 65_535

/** Parses `[ADDRESS:]PORT:GUEST`, an IPv6 address in brackets. @throws {UsageError} */
export function parsePublication(text: string): Publication {
  const {address, port, guest, protocol} =
    /^(?:(?<address>\[[^\]]*\]|[^[\]:]*):)?(?<port>\d{1,5}):(?<guest>\d{1,5})(?<protocol>\/[a-z]+)?$/.exec(
      text,
    )?.groups ?? {}
  const steps = ['Write PORT:GUEST or ADDRESS:PORT:GUEST: 8080:80, 0.0.0.0:8080:80, [::1]:8080:80']
  if (protocol !== undefined && protocol !== '/tcp')
    throw new UsageError(`"${text}" cannot be published: envs publishes TCP ports only.`, steps)
  const host = address === undefined ? LOCALHOST : address.replace(/^\[|\]$/g, '')
  if (port === undefined || guest === undefined || !isPort(port) || !isPort(guest) || isIP(host) === 0)
    throw new UsageError(`"${text}" is not a valid publication of a port.`, steps)
  return {address: canonicalAddress(host), port: Number(port), guestPort: Number(guest)}
}

function isPort(text: string): boolean {
  const number = Number(text)
  return number >= 1 && number <= HIGHEST_PORT
}

/** Returns an address in its only spelling, so that texts can be compared; the programs of templates/host read that one too. */
export function canonicalAddress(address: string): string {
  if (isIP(address) !== 6) return address
  // The URL parser compresses groups of zeros as RFC 5952 does, and writes no dots.
  return new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
}

/** Returns the text that {@link parsePublication} reads. */
export function formatPublication({address, port, guestPort}: Publication): string {
  return `${formatAddress(address)}:${port}:${guestPort}`
}

/** Returns an address as it is written before a port. */
export function formatAddress(address: string): string {
  return isIP(address) === 6 ? `[${address}]` : address
}

/** Returns whether both have the same address and port on the host. */
export function isSamePort(one: Pick<Publication, 'address' | 'port'>, other: typeof one): boolean {
  return one.address === other.address && one.port === other.port
}

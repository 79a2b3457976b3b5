import {constants} from 'node:fs'
import {isAccessible} from '../../host/files.js'
import type {MapperHost} from '../../host/id-mapping.js'

/** Programs that lead out of a network of an environment's own, in the order of preference. */
export const OUTLETS = ['pasta', 'slirp4netns'] as const

export type OutletName = (typeof OUTLETS)[number]

/** The network of an environment: `none` has a loopback alone, the others a program that leads out. */
export type OwnNetwork = 'none' | OutletName

export const OWN_NETWORKS = ['none', ...OUTLETS] as const

/** The address at which a guest asks for names: the program forwards to the host's resolver, also to one on the host's loopback. */
const RESOLVER_ADDRESS: Readonly<Record<OutletName, string>> = {
  pasta: '169.254.1.1',
  slirp4netns: '10.0.2.3',
}

/** Device of the kernel that both programs need. */
export const TUN_DEVICE = '/dev/net/tun'

/** How a network of its own leads out, with the program's path. */
export type Outlet = {
  readonly tool: OutletName
  readonly program: string
  /** Networks as ADDRESS/LENGTH, the only ones that the guest reaches; empty for all. */
  readonly allowed: readonly string[]
}

/** Returns the words for templates/host/network.pl. */
export function outletWords({tool, program, allowed}: Outlet): string[] {
  return [tool, program, RESOLVER_ADDRESS[tool], ...allowed]
}

/** The reason why no program can lead out, before any trial. */
export type OutletObstacle = 'no-program' | 'no-tun' | 'closed-tun'

/** @returns undefined where a program may work. */
export async function findOutletObstacle(
  host: Pick<MapperHost, 'which'>,
  tools: readonly OutletName[] = OUTLETS,
): Promise<OutletObstacle | undefined> {
  if (!(await isAccessible(TUN_DEVICE))) return 'no-tun'
  if (!(await isAccessible(TUN_DEVICE, constants.R_OK | constants.W_OK))) return 'closed-tun'
  return tools.every((name) => host.which(name) === undefined) ? 'no-program' : undefined
}

export const OBSTACLE_REASONS: Readonly<Record<OutletObstacle, string>> = {
  'no-program': 'pasta and slirp4netns were not found',
  'no-tun': `${TUN_DEVICE} is missing`,
  'closed-tun': `${TUN_DEVICE} is closed to you`,
}

/** Returns the lines of resolv.conf(5) that name the server of a network; undefined for the host's network, whose file is copied. */
export function resolverHead(network: OwnNetwork | undefined): string | undefined {
  if (network === undefined) return undefined
  return network === 'none' ? '' : `nameserver ${RESOLVER_ADDRESS[network]}\n`
}

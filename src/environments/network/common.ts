import type {Host} from '../../host/host.js'
import {parseNetworkName} from '../../sandbox/network/allowed.js'
import {
  addressOf,
  type CommonNetwork,
  createNetwork,
  isMemberRunning,
  networkNames,
  readNetwork,
  removeNetwork,
  usersOf,
} from '../../store/networks.js'
import type {CommonNetworkListResult, CommonNetworkResult, NetworkRemovalResult} from './results.js'

/** @throws {UsageError} @throws As `createNetwork`. */
export async function createCommonNetwork(host: Host, text: string): Promise<CommonNetworkResult> {
  const name = parseNetworkName(text)
  return resultOf(host, name, await createNetwork(host.paths, name, host.now()))
}

export async function listCommonNetworks(host: Host): Promise<CommonNetworkListResult> {
  return Promise.all(
    networkNames(host.paths).map((name) => resultOf(host, name, readNetwork(host.paths, name))),
  )
}

/** @throws {UsageError} @throws As `removeNetwork`. */
export async function removeCommonNetwork(host: Host, text: string): Promise<NetworkRemovalResult> {
  const name = parseNetworkName(text)
  await removeNetwork(host.paths, name)
  return {name}
}

async function resultOf({paths}: Host, name: string, network: CommonNetwork): Promise<CommonNetworkResult> {
  const environments = (await usersOf(paths, name)).map((user) => {
    const member = network.members.find((each) => each.name === user)
    return {
      name: user,
      address: member === undefined ? null : addressOf(network, member),
      isConnected: member !== undefined && isMemberRunning(member),
    }
  })
  return {name, subnet: `${network.subnet}/24`, createdAt: network.createdAt, environments}
}

import {rmSync} from 'node:fs'
import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {helperError} from '../sandbox/network/errors.js'
import {
  cableHelper,
  ensureHelper,
  hostsHelper,
  hostsLock,
  type NetworkPlace,
} from '../sandbox/network/helper.js'
import {type Environment, environmentFiles} from '../store/environments.js'
import {
  addressOf,
  type CommonMember,
  type CommonNetwork,
  enterNetwork,
  isMemberRunning,
  readNetwork,
} from '../store/networks.js'
import {readRecord} from '../store/record.js'

type Starting = Pick<Environment, 'name' | 'files' | 'record'>

/**
 * Connects an environment that has just started with the others of its common networks, and writes their names into /etc/hosts of each.
 *
 * @throws {networkNotFoundError} @throws {helperError}
 */
export async function joinNetworks(
  {paths}: Pick<Host, 'paths'>,
  environment: Starting,
  place: NetworkPlace,
): Promise<void> {
  const {name, record} = environment
  for (const network of record.settings.networks ?? [])
    await enterNetwork(paths, network, {
      member: name,
      anchor: place.anchor,
      async work(entered) {
        const others = entered.members.filter((each) => each.name !== name && isMemberRunning(each))
        const own = entered.members.find((each) => each.name === name)
        if (own === undefined) return
        const words = {
          subnet: entered.subnet,
          own: addressOf(entered, own),
          others: others.map((each) => ({anchor: anchorOf(each), address: addressOf(entered, each)})),
        }
        const failure = await ensureHelper(cableHelper(place, words))
        if (failure !== undefined) throw helperError(name, failure)
        for (const other of others) await renewHosts(paths, other, place)
      },
    })
  await writeHosts(paths, environment, place)
}

function anchorOf({pid, startTime}: CommonMember) {
  return {pid, startTime}
}

/** A failure is not one of the environment that starts. */
async function renewHosts(paths: Host['paths'], member: CommonMember, place: NetworkPlace): Promise<void> {
  const files = environmentFiles(paths, member.name as Environment['name'])
  const record = await readRecord(files.record).catch(() => undefined)
  if (record === undefined || readLiveAnchor(files.run)?.pid !== member.pid) return
  const other = {name: member.name as Environment['name'], files, record}
  await writeHosts(paths, other, {...place, runFolder: files.run, anchor: anchorOf(member)}).catch(() => {})
}

/** Writes the names of all environments of its common networks; without networks, removes those that an earlier start wrote. */
export async function writeHosts(
  paths: Host['paths'],
  {name, record}: Starting,
  place: NetworkPlace,
): Promise<void> {
  const networks = record.settings.networks ?? []
  const lines = networks.flatMap((each) => linesOf(readNetwork(paths, each)))
  const failure = await ensureHelper(hostsHelper(place, lines))
  if (failure !== undefined) throw helperError(name, failure)
  if (networks.length === 0) rmSync(hostsLock(place.runFolder), {force: true})
}

function linesOf(network: CommonNetwork): string[] {
  return network.members.map((member) => `${addressOf(network, member)} ${member.name}`)
}

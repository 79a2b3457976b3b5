import {existsSync, readdirSync, readFileSync, rmSync} from 'node:fs'
import {networkInterfaces} from 'node:os'
import {join} from 'node:path'
import * as v from 'valibot'
import {defineError, ExitCode} from '../errors.js'
import {unlessErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import {takeLock} from '../host/locks.js'
import {processStartTime} from '../host/machine/proc.js'
import type {Paths} from '../host/paths.js'
import {
  numberField,
  type RecordFormat,
  type RecordOf,
  readRecordFile,
  recordObject,
  timeField,
  unreadableBy,
  writeRecordFile,
} from '../host/records.js'
import type {Anchor} from '../sandbox/anchor-state.js'
import {type EnvironmentName, environmentFiles, listNames} from './environments.js'
import {recordUnreadableError} from './errors.js'
import {type EnvironmentSettings, readRecord} from './record.js'

const memberSchema = v.object({
  name: v.string(),
  /** Last number of its address. */
  host: numberField,
  /** Its first process when it last started. */
  pid: numberField,
  startTime: v.string(),
})

const networkSchema = recordObject({
  createdAt: timeField,
  /** First address of its 24 bits. */
  subnet: v.string(),
  /** Environments that have started on it. The records of environments say which are on it. */
  members: v.array(memberSchema),
})

/** A common network of environments. */
export type CommonNetwork = RecordOf<typeof networkSchema>
export type CommonMember = CommonNetwork['members'][number]

const FORMAT: RecordFormat<typeof networkSchema> = {
  schema: networkSchema,
  maxBytes: 65_536,
  indent: 2,
  unreadable: unreadableBy(recordUnreadableError),
}

const SEE_NETWORKS = 'See the networks that exist: envs network list'

/** @public */
export const networkNotFoundError = defineError('ENVS_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no network "{name}".',
  nextStep: ['Create it: envs network create {name}', SEE_NETWORKS],
})

/** @public */
export const networkExistsError = defineError('ENVS_EXISTS', ExitCode.conflict, {
  message: 'The network "{name}" exists already.',
  nextStep: SEE_NETWORKS,
})

/** @public */
export const networkUsedError = defineError('ENVS_BUSY', ExitCode.conflict, {
  message: 'The network "{name}" is in use by {users}.',
  nextStep: 'Take them off it first: envs set NAME join=',
})

/** @public */
export const networkBusyError = defineError('ENVS_BUSY', ExitCode.conflict, {
  message: 'The network "{name}" is being changed by another command.',
  nextStep: 'Run the command again.',
})

/** @public */
export const networkFullError = defineError('ENVS_NETWORK_FULL', ExitCode.conflict, {
  message: 'The network "{name}" has no address left: it has {count} environments.',
  nextStep: 'Create another one: envs network create',
})

function folderOf({data}: Pick<Paths, 'data'>): string {
  return join(data, 'networks')
}

function fileOf(paths: Pick<Paths, 'data'>, name: string): string {
  return join(folderOf(paths), `${name}.json`)
}

/** Returns the names of all common networks, sorted. */
export function networkNames(paths: Pick<Paths, 'data'>): string[] {
  const entries = unlessErrno(() => readdirSync(folderOf(paths)), 'ENOENT') ?? []
  return entries
    .filter((entry) => /^[a-z0-9-]+\.json$/.test(entry))
    .map((entry) => entry.slice(0, -'.json'.length))
    .sort()
}

/** @throws {networkNotFoundError} */
export function readNetwork(paths: Pick<Paths, 'data'>, name: string): CommonNetwork {
  const network = readRecordFile(fileOf(paths, name), FORMAT)
  if (network === undefined) throw networkNotFoundError({name})
  return network
}

/** Checks that the networks of an environment exist. @throws {networkNotFoundError} */
export function requireNetworks(
  paths: Pick<Paths, 'data'>,
  {networks = []}: Pick<EnvironmentSettings, 'networks'>,
): void {
  for (const name of networks) if (!existsSync(fileOf(paths, name))) throw networkNotFoundError({name})
}

/** Returns the environments whose settings name the network. */
export async function usersOf(paths: Paths, name: string): Promise<EnvironmentName[]> {
  const names = await listNames(paths)
  const records = await Promise.all(
    names.map((each) => readRecord(environmentFiles(paths, each).record).catch(() => undefined)),
  )
  return names.filter((_, at) => records[at]?.settings.networks?.includes(name) === true)
}

/** @throws {networkExistsError} */
export async function createNetwork(paths: Paths, name: string, createdAt: Date): Promise<CommonNetwork> {
  return withNetworkLock(paths, name, async () => {
    if (existsSync(fileOf(paths, name))) throw networkExistsError({name})
    const used = networkNames(paths).map((each) => readNetwork(paths, each).subnet)
    const network: CommonNetwork = {createdAt, subnet: freeSubnet(used), members: []}
    await writeRecordFile(fileOf(paths, name), network, FORMAT)
    return network
  })
}

/** @throws {networkNotFoundError} @throws {networkUsedError} */
export async function removeNetwork(paths: Paths, name: string): Promise<void> {
  await withNetworkLock(paths, name, async () => {
    if (!existsSync(fileOf(paths, name))) throw networkNotFoundError({name})
    const users = await usersOf(paths, name)
    if (users.length > 0) throw networkUsedError({name, users: users.join(', ')})
    rmSync(fileOf(paths, name))
  })
}

/**
 * Gives an environment that starts its address, which it keeps, and calls `work` while no other one starts on the network.
 *
 * @param work - Gets the network with the environment as its last member.
 * @throws {networkNotFoundError} @throws {networkFullError}
 */
export async function enterNetwork(
  paths: Paths,
  name: string,
  {
    member,
    anchor,
    work,
  }: {
    readonly member: EnvironmentName
    readonly anchor: Anchor
    readonly work: (network: CommonNetwork) => Promise<void>
  },
): Promise<void> {
  await withNetworkLock(paths, name, async () => {
    const before = readNetwork(paths, name)
    const users: readonly string[] = await usersOf(paths, name)
    const others = before.members.filter((each) => each.name !== member && users.includes(each.name))
    const known = before.members.find((each) => each.name === member)?.host
    const host = known ?? HOSTS.find((each) => others.every((other) => other.host !== each))
    if (host === undefined) throw networkFullError({name, count: String(others.length)})
    const own = {name: member, host, pid: anchor.pid, startTime: anchor.startTime}
    const network = {...before, members: [...others, own]}
    await writeRecordFile(fileOf(paths, name), network, {...FORMAT, isSynced: false})
    await work(network)
  })
}

/** The first and the last address of 24 bits have meanings of their own, and routers often have the second. */
const HOSTS = Array.from({length: 253}, (_, at) => at + 2)

export function addressOf(
  {subnet}: Pick<CommonNetwork, 'subnet'>,
  {host}: Pick<CommonMember, 'host'>,
): string {
  return subnet.replace(/\d+$/, String(host))
}

/** Returns whether the environment runs that the member was when it last started. */
export function isMemberRunning({pid, startTime}: CommonMember): boolean {
  return processStartTime(pid) === startTime
}

/** Long enough for some environments that start on it one after the other. */
const LOCK_MS = 15_000

async function withNetworkLock<Result>(
  paths: Pick<Paths, 'data'>,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  await makeFolders(folderOf(paths), {mode: 0o700})
  const lock = await takeLock(join(folderOf(paths), `.${name}.lock`), {mode: 'exclusive', waitMs: LOCK_MS})
  if (lock === undefined) throw networkBusyError({name})
  try {
    return await work()
  } finally {
    lock.release()
  }
}

/** Returns 24 bits of 10.0.0.0/8 that no other common network, no address and no route of the host has. */
function freeSubnet(used: readonly string[]): string {
  const routes = hostRoutes()
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const isFree = (subnet: string) => {
    const number = toNumber(subnet)
    return (
      !used.includes(subnet) &&
      addresses.every(({address}) => !address.startsWith(subnet.replace(/\d+$/, ''))) &&
      routes.every(({to, mask}) => (number & mask) !== (to & mask))
    )
  }
  // From the upper half: the lower one is what routers and other programs take.
  for (const second of SECONDS)
    for (let third = 0; third < 256; third++)
      if (isFree(`10.${second}.${third}.0`)) return `10.${second}.${third}.0`
  return '10.213.0.0'
}

const SECONDS = [213, 214, 215, 216, 217] as const

function toNumber(address: string): number {
  return address.split('.').reduce((number, part) => (number << 8) | Number(part), 0)
}

/** Routes of IPv4 but the default one, in the byte order of the host. See proc(5), /proc/net/route: in that of this processor. */
function hostRoutes(): {to: number; mask: number}[] {
  const lines = (unlessErrno(() => readFileSync('/proc/net/route', 'latin1')) ?? '').split('\n').slice(1)
  return lines.flatMap((line) => {
    const [, to, , , , , , mask] = line.split(/\s+/)
    const numbers = [to, mask].map((each) => Buffer.from(each ?? '', 'hex').reverse())
    const [first, second] = numbers
    if (first?.length !== 4 || second?.length !== 4 || second.readInt32BE() === 0) return []
    return [{to: first.readInt32BE(), mask: second.readInt32BE()}]
  })
}

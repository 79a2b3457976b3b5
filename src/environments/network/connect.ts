import {defineError, ExitCode, UsageError} from '../../errors.js'
import {placeOf} from '../../features/network.js'
import type {Host} from '../../host/host.js'
import {type Anchor, readLiveAnchor, recordedNetwork} from '../../sandbox/anchor-state.js'
import {helperError} from '../../sandbox/network/errors.js'
import {
  connectionHelper,
  connectionLock,
  ensureHelper,
  isHelperRunning,
} from '../../sandbox/network/helper.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {endHelper} from './publish.js'
import type {ConnectResult} from './results.js'

/** @public One of the environments does not run with a network of its own. */
export const notConnectableError = defineError('ENVS_NO_OWN_NETWORK', ExitCode.conflict, {
  message: 'The environment "{name}" does not run with a network of its own.',
  nextStep: ['Give it one: envs set {name} network=none', 'Or start it: envs run --detach {name} -- COMMAND'],
})

/** Something in the environment listens on the port. */
const portUsedError = defineError('ENVS_PORT_TAKEN', ExitCode.conflict, {
  message: 'Port {port} of "{name}" is taken.',
  nextStep: ['See who listens: envs ports {name}', 'Or take another port: envs connect {server} {name}:PORT'],
})

const EADDRINUSE = 98

/** The two ends of a connection: a port of the server, and the port of the client's loopback that leads to it. */
export type ConnectionWish = {
  readonly server: string
  readonly port: number
  readonly client: string
  readonly clientPort: number
}

/** Parses `SERVER:PORT` and `CLIENT[:PORT]`. @throws {UsageError} */
export function parseConnection(server: string, client: string): ConnectionWish {
  const [serverName, port] = parseEnd(server)
  const [clientName, clientPort = port] = parseEnd(client)
  if (port === undefined || clientPort === undefined)
    throw new UsageError(`"${server}" names no port.`, ['Write NAME:PORT: envs connect db:5432 web'])
  return {server: serverName, port, client: clientName, clientPort}
}

function parseEnd(text: string): readonly [name: string, port: number | undefined] {
  const {name = text, port} = /^(?<name>[^:]*):(?<port>\d{1,5})$/.exec(text)?.groups ?? {}
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535))
    throw new UsageError(`"${text}" names no port: it is from 1 to 65535.`)
  return [name, port === undefined ? undefined : Number(port)]
}

/**
 * Lets a port of the loopback of one running environment lead to a port of another, until either ends.
 *
 * @throws {notConnectableError} @throws {portUsedError} @throws As `ensureHelper`.
 */
export async function connectEnvironments(
  host: Host,
  wish: ConnectionWish,
  {isRemoval}: {readonly isRemoval: boolean},
): Promise<ConnectResult> {
  const {port, clientPort} = wish
  const client = await findEnvironment(host.paths, wish.client)
  const server = await findEnvironment(host.paths, wish.server)
  const lock = connectionLock(client.files.run, clientPort)
  const result = {name: server.name, port, client: client.name, clientPort}
  await endHelper(lock)
  if (isRemoval) return {...result, isConnected: false}
  const [from, to] = [anchorOf(client), anchorOf(server)]
  const helper = connectionHelper(placeOf(host, client, from), {from, port: clientPort, to, toPort: port})
  const failure = await ensureHelper(helper)
  if (failure?.stage === 'bind' && failure.errno === EADDRINUSE)
    throw portUsedError({port: clientPort, name: client.name, server: `${server.name}:${port}`})
  if (failure !== undefined) throw helperError(client.name, failure)
  return {...result, isConnected: await isHelperRunning(lock)}
}

function anchorOf({name, files}: Environment): Anchor {
  const anchor = readLiveAnchor(files.run)
  if (anchor === undefined || recordedNetwork(files.run) === undefined) throw notConnectableError({name})
  return anchor
}

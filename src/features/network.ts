import {mkdtemp, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {readSettings} from '../config/settings.js'
import {fileFacts} from '../host/cache.js'
import {pass, warn} from '../host/check.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {requirePerl} from '../host/process.js'
import {oneOfField} from '../host/records.js'
import {openTrial} from '../host/trials.js'
import {readLiveAnchor, recordedNetwork} from '../sandbox/anchor-state.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {guestNamespaceOf, tryOwnNetwork} from '../sandbox/engines/select.js'
import type {Identity} from '../sandbox/identity.js'
import {
  networkUnsuitableError,
  noPrivateNetworkError,
  openRoutesError,
  reasonOfFailure,
} from '../sandbox/network/errors.js'
import {ensureHelper, type NetworkPlace, networkHelper, ownNetworkStep} from '../sandbox/network/helper.js'
import {
  findOutletObstacle,
  OBSTACLE_REASONS,
  OUTLETS,
  type Outlet,
  type OutletName,
  type OutletObstacle,
  type OwnNetwork,
  outletWords,
  TUN_DEVICE,
} from '../sandbox/network/outlet.js'
import {serveNetwork} from '../sandbox/network/serve.js'
import type {Companion} from '../sandbox/spec.js'
import type {Environment} from '../store/environments.js'
import {type EnvironmentRecord, networkOf} from '../store/record.js'
import type {SandboxFeature} from './feature.js'
import {refreshResolver} from './resolver.js'

/**
 * Gives an environment a network of its own: without a way out, or with a program of the host that leads out and not to the
 * host. Ports of the host are published by programs of envs.
 */
export const network: SandboxFeature = {
  id: 'network',
  engines: ['bwrap', 'unshare'],
  async beforeSession({host, environment}) {
    const {name, files} = environment
    const anchor = readLiveAnchor(files.run)
    const running = anchor === undefined ? undefined : recordedNetwork(files.run)
    if (anchor === undefined || running === undefined) return
    await serveNetwork(placeOf(host, environment, anchor), {name, ...serviceOf(host, environment, running)})
  },
  refuse(request, {environment: {name}, engine}) {
    if (request.network !== undefined && engine === 'proot') throw networkUnsuitableError({engine, name})
  },
  async apply(spec, {host, environment, engine}) {
    const {record} = environment
    const kind = networkOf(record)
    if (kind === 'host' || engine === 'proot') return spec
    const {guest} = spec.userNamespace
    // The routes keep the host's addresses out of reach, and the guest's root could change its own.
    if (kind === 'private' && guest === 'only') throw openRoutesError({name: environment.name})
    const own = kind === 'none' ? 'none' : await requireOutlet(host, engine, record.identity)
    return {
      ...spec,
      ownNetwork: own,
      setup: [...spec.setup, ownNetworkStep({perl: requirePerl(host), architecture: host.architecture})],
      // Of the host's interfaces; those of the guest have no files.
      mounts: [...spec.mounts, ...(spec.boot === undefined ? HIDDEN : [])],
      companions: [...spec.companions, networkCompanion(host, environment, own)],
    }
  },
  checks: async (host) => [await checkPrivateNetwork(host)],
}

const HIDDEN = [{kind: 'empty', at: '/sys/class/net'}] as const

function networkCompanion(host: Host, environment: Environment, own: OwnNetwork): Companion {
  const {name} = environment
  return {
    prepare: () => [],
    open: () => ({
      async started(anchor) {
        await refreshResolver(environment.files.resolver, undefined, own)
        await serveNetwork(placeOf(host, environment, anchor), {name, ...serviceOf(host, environment, own)})
      },
      close() {},
    }),
  }
}

/** Returns where the helpers of a running environment find it. @throws {PerlMissingError} */
export function placeOf(
  host: Pick<Host, 'which' | 'architecture'>,
  {files}: Pick<Environment, 'files'>,
  anchor: NetworkPlace['anchor'],
): NetworkPlace {
  return {perl: requirePerl(host), architecture: host.architecture, runFolder: files.run, anchor}
}

function serviceOf(
  host: Pick<Host, 'which'>,
  {record: {settings}}: Pick<Environment, 'record'>,
  own: OwnNetwork,
) {
  const program = own === 'none' ? undefined : host.which(own)
  const outlet: Outlet | undefined =
    own === 'none' ? undefined : {tool: own, program: program ?? own, allowed: settings.allow ?? []}
  return {outlet, publications: settings.publish ?? [], hosts: settings.allowHosts ?? []}
}

/** Checks that this host can give an environment its network. @throws {noPrivateNetworkError} @throws {openRoutesError} */
export async function requireNetwork(
  host: Host,
  engine: AnchorEngineName,
  {name, identity, settings}: Pick<EnvironmentRecord, 'identity' | 'settings'> & {readonly name: string},
): Promise<void> {
  if (networkOf({settings}) !== 'private') return
  const {cache: cacheFolder} = host.paths
  if ((await guestNamespaceOf(host, engine, {cacheFolder})) === 'only') throw openRoutesError({name})
  await requireOutlet(host, engine, identity)
}

const outletField = oneOfField(OUTLETS)

/** Returns the program that leads out of a private network, by a trial. @throws {noPrivateNetworkError} */
async function requireOutlet(host: Host, engine: AnchorEngineName, identity: Identity): Promise<OutletName> {
  const {cache: cacheFolder} = host.paths
  const tools = await chosenOutlets(host)
  const facts = [engine, ...[TUN_DEVICE, ...tools.map(host.which)].map(fileFacts)]
  const trial = openTrial(host, {cacheFolder, name: `network-${identity}`, schema: outletField, facts})
  const known = trial.recall()
  if (known !== undefined) return known
  const obstacle = await findOutletObstacle(host, tools)
  if (obstacle !== undefined) throw noPrivateNetworkError({reason: OBSTACLE_REASONS[obstacle]})
  const {found, reason} = await tryOutlets(host, {engine, identity, tools})
  if (found === undefined) throw noPrivateNetworkError({reason})
  // A failure is not remembered: the next command notices a host that was repaired.
  await trial.remember(found)
  return found
}

/** Returns the programs that the setting allows. */
async function chosenOutlets(host: Host): Promise<readonly OutletName[]> {
  const setting = (await readSettings(host)).value('networkTool')
  return setting === 'auto' ? OUTLETS : [setting]
}

async function tryOutlets(
  host: Host,
  {
    engine,
    identity,
    tools,
  }: {
    readonly engine: AnchorEngineName
    readonly identity: Identity
    readonly tools: readonly OutletName[]
  },
): Promise<{readonly found: OutletName | undefined; readonly reason: string}> {
  const {cache: cacheFolder} = host.paths
  const guest = await guestNamespaceOf(host, engine, {cacheFolder})
  await makeFolders(cacheFolder, {mode: 0o700})
  const programs = {perl: requirePerl(host), architecture: host.architecture}
  let reason = 'its engine makes no network'
  for (const tool of tools) {
    const program = host.which(tool)
    if (program === undefined) continue
    const stage = await mkdtemp(join(cacheFolder, '.network.'))
    try {
      const works = await tryOwnNetwork(host, engine, {
        ...{identity, guest, stage},
        network: {
          step: ownNetworkStep(programs),
          async work(anchor) {
            const place = {...programs, runFolder: stage, anchor}
            const failure = await ensureHelper(
              networkHelper(place, outletWords({tool, program, allowed: []})),
            )
            if (failure !== undefined) reason = `${tool} failed: ${reasonOfFailure(failure)}`
            return failure === undefined
          },
        },
      })
      if (works) return {found: tool, reason}
    } finally {
      await rm(stage, {recursive: true, force: true})
    }
  }
  return {found: undefined, reason}
}

const REMEDIES: Readonly<
  Record<OutletObstacle, {readonly steps: readonly string[]; readonly opens: string}>
> = {
  'no-program': {steps: ['apt-get install passt'], opens: 'Nothing: pasta has no rights of its own.'},
  'no-tun': {steps: ['modprobe tun'], opens: 'Virtual interfaces, in the networks of their own namespaces.'},
  'closed-tun': {
    steps: [`chmod 666 ${TUN_DEVICE}`],
    opens: 'Virtual interfaces, in the networks of their own namespaces; udev opens the device in this way.',
  },
}

const PRIVATE_NETWORK = 'private-network'

/** Checks what leads out of a private network. Makes no trial. */
async function checkPrivateNetwork(host: Pick<Host, 'which'>) {
  const found = OUTLETS.filter((name) => host.which(name) !== undefined)
  const obstacle = await findOutletObstacle(host)
  if (obstacle === undefined)
    return pass(PRIVATE_NETWORK, `${found.join(' and ')} lead out, by ${TUN_DEVICE}.`)
  return warn(PRIVATE_NETWORK, {
    evidence: `${OBSTACLE_REASONS[obstacle]}.`,
    cost: 'Environments have the network of the host, or one without a way out.',
    remedy:
      obstacle === 'no-program'
        ? 'Download pasta into your own folder: envs doctor --fetch passt'
        : 'Ask an administrator for the change, or use --network none.',
    request: REMEDIES[obstacle],
  })
}

import {emulationFor} from '../../features/emulation.js'
import {requireNetwork} from '../../features/network.js'
import type {Host} from '../../host/host.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import type {EngineName} from '../../sandbox/engines/select.js'
import type {Identity} from '../../sandbox/identity.js'
import {networkUnsuitableError} from '../../sandbox/network/errors.js'
import {type EnvironmentRecord, type EnvironmentSettings, networkOf} from '../../store/record.js'
import {sessionLauncher} from '../../store/tools.js'
import {chooseStorage, type EngineSetting, findEngine, identityFor} from '../session/engine.js'

/** The engine, identity and storage of a new environment. */
export type Means = {
  /** The engine that can start the environment on this host now; the engine is chosen again at each start. */
  readonly engine: EngineName
  readonly identity: Identity
  readonly storage: EnvironmentRecord['storage']
}

/** The user's choice of engine, identity and storage. */
export type MeansWish = {
  readonly engine: EngineSetting
  readonly identity: 'auto' | Identity
  readonly storage: 'auto' | EnvironmentRecord['storage']
  /** The architecture of the environment's programs. */
  readonly architecture: DebArchitecture
  readonly name?: string
  /** The settings of the environment, which may ask for more of the host. */
  readonly settings?: EnvironmentSettings | undefined
}

/**
 * Chooses engine, identity and storage, and checks that the host has what they need: before a download, not after it.
 *
 * @throws {PerlMissingError} @throws {EngineUnavailableError} @throws {IdentityUnavailableError}
 * @throws {@link storageUnavailableError} @throws As `emulationFor` and `requireNetwork`.
 */
export async function chooseMeans(host: Host, request: MeansWish): Promise<Means> {
  sessionLauncher(host)
  const engine = await findEngine(host, request.engine)
  const identity = await identityFor(engine, request.identity, host)
  await emulationFor(host, request.architecture, {engine, identity})
  const {settings = {}, name = ''} = request
  if (networkOf({settings}) !== 'host') {
    if (engine === 'proot') throw networkUnsuitableError({engine, name})
    await requireNetwork(host, engine, {name, identity, settings})
  }
  const storage = await chooseStorage(request.storage, host, {identity, engine})
  return {engine, identity, storage}
}

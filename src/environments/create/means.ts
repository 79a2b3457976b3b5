import {emulationFor} from '../../features/emulation.js'
import type {DebArchitecture} from '../../host/arch.js'
import type {Host} from '../../host/host.js'
import type {EngineName} from '../../sandbox/engines/select.js'
import type {Identity} from '../../sandbox/identity.js'
import type {EnvironmentRecord} from '../../store/record.js'
import {sessionLauncher} from '../../store/tools.js'
import {chooseStorage, type EngineSetting, findEngine, identityFor} from '../session/engine.js'

/** How an environment is kept and entered. */
export type Means = {
  /** What it can be started with on this host; another time it may be another. */
  readonly engine: EngineName
  readonly identity: Identity
  readonly storage: EnvironmentRecord['storage']
}

/** What the user said of them. */
export type MeansWish = {
  readonly engine: EngineSetting
  readonly identity: 'auto' | Identity
  readonly storage: 'auto' | EnvironmentRecord['storage']
  /** Of its programs. */
  readonly architecture: DebArchitecture
}

/**
 * What an environment can't do without: looked for before a download, not after it.
 *
 * @throws {PerlMissingError} @throws {EngineUnavailableError} @throws {IdentityUnavailableError}
 * @throws {@link storageUnavailableError} @throws As `emulationFor`.
 */
export async function chooseMeans(host: Host, request: MeansWish): Promise<Means> {
  sessionLauncher(host)
  const engine = await findEngine(host, request.engine)
  const identity = await identityFor(engine, request.identity, host)
  await emulationFor(host, request.architecture, {engine, identity})
  const storage = await chooseStorage(request.storage, host, {identity, engine})
  return {engine, identity, storage}
}

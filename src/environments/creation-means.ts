import type {Host} from '../host/host.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import type {Identity} from '../sandbox/ids/identity.js'
import type {CreateRequest} from './create-request.js'
import {emulationFor} from './emulation.js'
import {findEngine, identityFor} from './engine.js'
import {chooseStorage} from './overlay-support.js'
import type {EnvironmentRecord} from './record.js'
import {sessionLauncher} from './toolbox.js'

/** How an environment is kept and entered. */
export type Means = {
  /** What it can be started with on this host; another time it may be another. */
  readonly engine: EngineName
  readonly identity: Identity
  readonly storage: EnvironmentRecord['storage']
}

/**
 * What an environment can't do without: looked for before a download, not after it.
 *
 * @throws {PerlMissingError} @throws {EngineUnavailableError} @throws {IdentityUnavailableError}
 * @throws {@link storageUnavailableError} @throws As `emulationFor`.
 */
export async function chooseMeans(
  host: Host,
  request: Pick<CreateRequest, 'engine' | 'identity' | 'architecture' | 'storage'>,
): Promise<Means> {
  sessionLauncher(host)
  const engine = await findEngine(host, request.engine)
  const identity = await identityFor(engine, request.identity, host)
  await emulationFor(host, request.architecture, {engine, identity})
  const storage = await chooseStorage(request.storage, host, {identity, engine})
  return {engine, identity, storage}
}

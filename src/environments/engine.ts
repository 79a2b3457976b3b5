import {join} from 'node:path'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {chooseEngine, type EngineName} from '../sandbox/engines/choice.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {layersFirst} from '../sandbox/engines/layers-first.js'
import {EngineUnavailableError} from '../sandbox/errors.js'
import {chooseIdentity, type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {plainRoot} from '../sandbox/mounts.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import {engineUnsuitableError, storageUnavailableError} from './errors.js'
import {stackingWay} from './overlay-support.js'
import type {EnvironmentRecord} from './record.js'
import {toolPath} from './toolbox.js'

export type EngineSetting = 'auto' | EngineName

/**
 * The engine that environments are started with here.
 *
 * @throws {EngineUnavailableError}
 */
export async function findEngine(host: Host, setting: EngineSetting): Promise<EngineName> {
  try {
    return await chooseEngine(host, {setting, cacheFolder: host.paths.cache})
  } catch (error) {
    if (!(error instanceof EngineUnavailableError)) throw error
    const {explainEngine} = await import('./explain-start.js')
    throw await explainEngine(host, error)
  }
}

/**
 * The identity of a new environment that this engine is to start.
 *
 * @throws {IdentityUnavailableError}
 */
export async function identityFor(
  engine: EngineName,
  setting: 'auto' | Identity,
  host: Host,
): Promise<Identity> {
  return chooseIdentity(engine === 'proot' && setting === 'auto' ? 'emulated' : setting, host)
}

/**
 * The same, for an environment that is there already.
 *
 * @throws {EngineUnavailableError}
 * @throws {@link engineUnsuitableError} When the engine can't show its tree as it is.
 */
export async function engineFor(
  host: Host,
  setting: EngineSetting,
  {name, record}: {name: string; record: Pick<EnvironmentRecord, 'identity' | 'storage'>},
): Promise<EngineName> {
  const engine = await findEngine(host, setting)
  if (engine === 'proot' && (record.identity === 'mapped' || record.storage === 'overlay'))
    throw engineUnsuitableError({name, ...record, engine})
  return engine
}

/** As {@link engineFor}, for one that is to have a first process. */
export async function anchorEngineFor(
  host: Host,
  setting: EngineSetting,
  environment: Parameters<typeof engineFor>[2],
): Promise<AnchorEngineName> {
  const engine = await engineFor(host, setting, environment)
  // It ran when the session began, or there would be no need for a first process.
  if (engine === 'proot') throw new EngineUnavailableError('auto')
  return engine
}

/**
 * Returns a sandbox that this engine can start: layers that it can't stack itself are stacked before it, and it is given a user
 * namespace where it can't make its own.
 *
 * @param options.runFolder - The environment's own, for its run-time state.
 * @throws {ToolMissingError} @throws {StorageUnavailableError} @throws {IdentityUnavailableError}
 */
export async function fitToEngine(
  host: Host,
  name: AnchorEngineName,
  {identity, runFolder, spec}: {identity: Identity; runFolder: string; spec: SandboxSpec},
): Promise<SandboxSpec> {
  const stacked = await withStackedLayers(host, name, {identity, runFolder, spec})
  const {guest, prefix} = stacked.userNamespace
  const isNeeded = guest !== 'only' || identity === 'mapped' || name === 'unshare' || stacked.setup.length > 0
  if (prefix.length > 0 || !isNeeded) return stacked
  return {...stacked, userNamespace: {guest, prefix: await namespacePrefix(identity, host)}}
}

async function withStackedLayers(
  host: Host,
  name: AnchorEngineName,
  {identity, runFolder, spec}: {identity: Identity; runFolder: string; spec: SandboxSpec},
): Promise<SandboxSpec> {
  const {root} = spec
  if (root.kind !== 'overlay' || (await wayOf(host, identity, name)) === 'engine') return spec
  const at = join(runFolder, 'merged')
  await makeFolders(at, {mode: 0o700})
  const tools = {unshare: toolPath(host, 'unshare'), mount: toolPath(host, 'mount'), at}
  return {...spec, root: plainRoot(at), setup: [...spec.setup, layersFirst(root, tools)]}
}

async function wayOf(host: Host, identity: Identity, name: AnchorEngineName) {
  const way = await stackingWay(host, identity, name)
  if (way === undefined) throw storageUnavailableError()
  return way
}

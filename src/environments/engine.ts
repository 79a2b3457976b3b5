import {join} from 'node:path'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import type {AnchorPlan} from '../sandbox/anchor-start.js'
import {
  anchorEngine,
  chooseEngine,
  type EngineName,
  guestNamespaceOf,
  guestNamespaceWords,
} from '../sandbox/engines/choice.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {layersFirst} from '../sandbox/engines/layers-first.js'
import {EngineUnavailableError} from '../sandbox/errors.js'
import {chooseIdentity, type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {type Mount, plainRoot, type RootMount} from '../sandbox/mounts.js'
import type {EmulationPlan} from './emulation.js'
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

type Place = {
  readonly identity: Identity
  readonly root: RootMount
  /** The environment's own, for its run-time state. */
  readonly runFolder: string
  /** Words that enter the user namespace, where there is one already. */
  readonly prefix: readonly string[] | undefined
  /** What it has more for programs of another processor; undefined where the host runs them as they are. */
  readonly emulation: EmulationPlan | undefined
}

/** What of an anchor's plan depends on its engine. */
type EnginePlan = Pick<AnchorPlan, 'engine' | 'namespacePrefix' | 'guestNamespace'> & {
  readonly root: RootMount
  /** Beside those of every environment. */
  readonly mounts: readonly Mount[]
}

/** @throws {ToolMissingError} @throws {@link storageUnavailableError} @throws {IdentityUnavailableError} */
export async function planEngine(
  host: Host,
  name: AnchorEngineName,
  {identity, root, runFolder, emulation, ...place}: Place,
): Promise<EnginePlan> {
  const engine = anchorEngine(host, name)
  const guestNamespace = await guestNamespaceOf(host, name, {cacheFolder: host.paths.cache})
  const isBefore = root.kind === 'overlay' && (await wayOf(host, identity, name)) === 'before'
  const {words, mounts} = emulation ?? {words: [], mounts: []}
  const isMade =
    guestNamespace !== 'only' || identity === 'mapped' || name === 'unshare' || isBefore || words.length > 0
  const begun = place.prefix ?? (isMade ? await namespacePrefix(identity, host) : [])
  const own = {engine, guestNamespace, mounts}
  const last = guestNamespaceWords(host, guestNamespace)
  if (root.kind !== 'overlay' || !isBefore)
    return {...own, root, namespacePrefix: [...begun, ...words, ...last]}
  const at = join(runFolder, 'merged')
  await makeFolders(at, {mode: 0o700})
  const tools = {unshare: toolPath(host, 'unshare'), mount: toolPath(host, 'mount'), at}
  return {
    ...own,
    root: plainRoot(at),
    namespacePrefix: [...begun, ...words, ...layersFirst(root, tools), ...last],
  }
}

async function wayOf(host: Host, identity: Identity, name: AnchorEngineName) {
  const way = await stackingWay(host, identity, name)
  if (way === undefined) throw storageUnavailableError()
  return way
}

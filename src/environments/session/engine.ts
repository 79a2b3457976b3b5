import {statSync} from 'node:fs'
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {release} from 'node:os'
import {join} from 'node:path'
import {fileFacts, openMemory, probeOnce} from '../../host/cache.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {isMountingRoot} from '../../host/proc.js'
import {capture} from '../../host/process.js'
import {oneOfField} from '../../host/records.js'
import type {AnchorEngineName} from '../../sandbox/engines/engine.js'
import {
  layersFirst,
  layersFirstTrial,
  overlayTrial,
  type TrialFolders,
} from '../../sandbox/engines/overlay.js'
import {chooseEngine, type EngineName} from '../../sandbox/engines/select.js'
import {EngineUnavailableError, ToolMissingError} from '../../sandbox/errors.js'
import {chooseIdentity, type Identity, namespacePrefix} from '../../sandbox/identity.js'
import {plainRoot} from '../../sandbox/mounts.js'
import type {SandboxSpec} from '../../sandbox/spec.js'
import {engineUnsuitableError, storageUnavailableError} from '../../store/errors.js'
import {removeLayerFolder} from '../../store/gc.js'
import {canBeMounted} from '../../store/overlay-mount.js'
import type {EnvironmentRecord} from '../../store/record.js'
import {toolPath} from '../../store/tools.js'

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
    const {explainEngine} = await import('../doctor/explain-start.js')
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

type Storage = EnvironmentRecord['storage']

const TIMEOUT_MS = 10_000

/**
 * How the files of a new environment are kept.
 *
 * @param setting - `auto` takes `overlay` where a trial of it succeeds.
 * @param place.engine - What the environment is to be started with.
 * @throws {@link storageUnavailableError} When `overlay` was asked for by name and can't be had.
 */
export async function chooseStorage(
  setting: 'auto' | Storage,
  host: Host,
  {identity, engine}: {identity: Identity; engine: EngineName},
): Promise<Storage> {
  if (setting === 'directory') return 'directory'
  if (engine !== 'proot' && (await stackingWay(host, identity, engine)) !== undefined) return 'overlay'
  if (setting === 'overlay') throw storageUnavailableError()
  return 'directory'
}

/** Layers are stacked by the engine itself, or before it is started. */
export type StackingWay = 'engine' | 'before'

/**
 * How layers can be stacked for an engine; undefined where they can't.
 *
 * What a trial came to is kept, and made anew when the kernel, a program, or the store's file system is another.
 */
export async function stackingWay(
  host: Host,
  identity: Identity,
  engine: AnchorEngineName,
): Promise<StackingWay | undefined> {
  const {layers, cache} = host.paths
  // Mounts of the host's root are locked against the guest, and its layers would be too.
  if (isMountingRoot(host) || !canBeMounted(layers)) return undefined
  await makeFolders(layers, {mode: 0o700})
  const key = conditions(host, identity, engine)
  const memory = openMemory(join(cache, `overlay-${identity}.json`), {
    schema: oneOfField(['engine', 'before', 'none']),
  })
  const way = await probeOnce(memory, key, async () => (await tryOut(host, identity, engine)) ?? 'none')
  return way === 'none' ? undefined : way
}

function conditions(host: Host, identity: Identity, engine: AnchorEngineName): string {
  const program = fileFacts(toolPath(host, engine))
  return [release(), engine, program, statSync(host.paths.layers).dev, identity].join(' ')
}

async function tryOut(
  host: Host,
  identity: Identity,
  engine: AnchorEngineName,
): Promise<StackingWay | undefined> {
  if (engine === 'bwrap' && (await isStacked(host, identity, (folders) => byBwrap(host, identity, folders))))
    return 'engine'
  const works = await isStacked(host, identity, (folders) => beforehand(host, identity, folders))
  if (!works) return undefined
  // What the other engine asks of the kernel is the same.
  return engine === 'bwrap' ? 'before' : 'engine'
}

async function byBwrap(host: Host, identity: Identity, folders: TrialFolders): Promise<string[]> {
  const prefix = identity === 'mapped' ? await namespacePrefix(identity, host) : []
  return overlayTrial({bwrap: toolPath(host, 'bwrap'), identity, prefix, folders})
}

async function beforehand(host: Host, identity: Identity, folders: TrialFolders): Promise<string[]> {
  const tools = {unshare: toolPath(host, 'unshare'), mount: toolPath(host, 'mount')}
  return layersFirstTrial({prefix: await namespacePrefix(identity, host), ...tools, folders})
}

async function isStacked(
  host: Host,
  identity: Identity,
  command: (folders: TrialFolders) => Promise<string[]>,
): Promise<boolean> {
  const folder = await mkdtemp(join(host.paths.layers, `.trial.${identity}.`))
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(folder, name))
  if (lower === undefined || upper === undefined || work === undefined || merged === undefined) return false
  try {
    for (const each of [lower, upper, work, merged, join(lower, 'inner')]) await mkdir(each)
    for (const file of ['kept', 'gone', 'inner/file']) await writeFile(join(lower, file), 'x')
    const argv = await command({lower, upper, work, merged})
    return (await capture(argv, {timeout: TIMEOUT_MS})).status === 0
  } catch (error) {
    if (error instanceof ToolMissingError) return false
    throw error
  } finally {
    await removeLayerFolder(host, {identity, folder}).catch(() => rm(folder, {recursive: true, force: true}))
  }
}

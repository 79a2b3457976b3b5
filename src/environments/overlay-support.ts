import {statSync} from 'node:fs'
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {release} from 'node:os'
import {join} from 'node:path'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {isMountingRoot} from '../host/privilege.js'
import {capture} from '../host/process.js'
import {oneOfField} from '../host/records.js'
import {fileFacts, openMemory, probeOnce} from '../host/remembered.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import type {AnchorEngineName} from '../sandbox/engines/engine.js'
import {ToolMissingError} from '../sandbox/errors.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {layersFirstTrial, overlayTrial, type TrialFolders} from '../sandbox/overlay-trial.js'
import {canBeMounted} from '../storage/layered-mount.js'
import {storageUnavailableError} from './errors.js'
import {removeLayerFolder} from './layer-folders.js'
import type {EnvironmentRecord} from './record.js'
import {toolPath} from './toolbox.js'

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

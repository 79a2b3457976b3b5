import {readFileSync, statSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {configPath, readSettings} from '../../config/settings.js'
import {unlessErrno} from '../../host/errno.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {requireRoom} from '../../host/machine/limits.js'
import {isMountingRoot} from '../../host/machine/proc.js'
import {capture} from '../../host/process.js'
import {oneOfField} from '../../host/records.js'
import {openTrial, type Trial} from '../../host/trials.js'
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
import {networkUnsuitableError} from '../../sandbox/network/errors.js'
import type {SandboxSpec} from '../../sandbox/spec.js'
import {
  bootEngineError,
  engineUnsuitableError,
  initUnsuitableError,
  storageUnavailableError,
} from '../../store/errors.js'
import {canBeMounted} from '../../store/overlay-mount.js'
import {type EnvironmentRecord, initOf, networkOf} from '../../store/record.js'
import {toolPath} from '../../store/tools.js'
import {withTrialFolder} from '../../store/trial-folder.js'

export type EngineSetting = 'auto' | EngineName

/**
 * Returns the engine that starts environments on this host.
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
 * Returns the identity of a new environment that the given engine will start. proot can only emulate owners.
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
 * Returns the engine for an existing environment.
 *
 * @throws {EngineUnavailableError}
 * @throws {@link engineUnsuitableError} When the engine can't present the environment's tree: proot has neither layers nor real owners.
 * @throws {@link initUnsuitableError} When the environment has an init, and the engine can't run one.
 * @throws {@link bootEngineError} When the setting is an engine that can't run the guest's systemd.
 */
export async function engineFor(
  host: Host,
  setting: EngineSetting,
  {name, record}: {name: string; record: Pick<EnvironmentRecord, 'identity' | 'storage' | 'settings'>},
): Promise<EngineName> {
  const wanted = wantedEngine(setting, record)
  if (wanted === undefined) throw bootEngineError({engine: setting, name, ...(await originOfEngine(host))})
  const engine = await findEngine(host, wanted)
  if (engine === 'proot' && (record.identity === 'mapped' || record.storage === 'overlay'))
    throw engineUnsuitableError({name, ...record, engine})
  if (engine === 'proot' && initOf(record) !== 'none') throw initUnsuitableError({engine, name})
  if (engine === 'proot' && networkOf(record) !== 'host') throw networkUnsuitableError({engine, name})
  return engine
}

/** Returns the setting as it applies to an environment; undefined where it excludes the only engine that can start its init. */
export function wantedEngine(
  setting: EngineSetting,
  record: Pick<EnvironmentRecord, 'settings'>,
): EngineSetting | undefined {
  // The guest's systemd needs a keeper that makes its control groups and console.
  if (initOf(record) !== 'systemd') return setting
  return setting === 'auto' || setting === 'unshare' ? 'unshare' : undefined
}

/** Returns where the setting comes from and how to undo it, for a message. */
async function originOfEngine(host: Host): Promise<{readonly origin: string; readonly remedy: string}> {
  const {origin} = (await readSettings(host)).effective('engine')
  return origin === 'file'
    ? {origin: `the setting engine in ${configPath(host)}`, remedy: 'envs config unset engine'}
    : {origin: 'the variable ENVS_ENGINE', remedy: 'unset ENVS_ENGINE'}
}

/** As {@link engineFor}, for an environment that needs a first process (anchor), which proot does not have. */
export async function anchorEngineFor(
  host: Host,
  setting: EngineSetting,
  environment: Parameters<typeof engineFor>[2],
): Promise<AnchorEngineName> {
  const engine = await engineFor(host, setting, environment)
  // A session with proot gets here only when the first process that it was to join has ended in the meantime.
  if (engine === 'proot') throw new EngineUnavailableError('auto')
  return engine
}

/**
 * Returns a sandbox that the given engine can start: a setup step mounts the layers that the engine can't mount itself, and a
 * prefix makes the user namespace that the engine can't make itself.
 *
 * @param options.runFolder - Folder of the environment's run-time state.
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
  if (root.kind !== 'overlay' || (await requireOverlayMounter(host, identity, name)) === 'engine') return spec
  const at = join(runFolder, 'merged')
  await makeFolders(at, {mode: 0o700})
  const tools = {unshare: toolPath(host, 'unshare'), mount: toolPath(host, 'mount'), at}
  return {...spec, root: plainRoot(at), setup: [...spec.setup, layersFirst(root, tools)]}
}

async function requireOverlayMounter(host: Host, identity: Identity, name: AnchorEngineName) {
  const mounter = await findOverlayMounter(host, identity, name)
  if (mounter !== undefined) return mounter
  // Where ids can't be mapped any more, the trial mount fails on every file system.
  if (identity === 'mapped') await chooseIdentity('mapped', host)
  throw storageUnavailableError()
}

type Storage = EnvironmentRecord['storage']

/**
 * Chooses how the files of a new environment are stored.
 *
 * @param setting - `auto` chooses `overlay` where a trial mount succeeds.
 * @param options.engine - The engine that will start the environment.
 * @throws {@link storageUnavailableError} When the setting is `overlay` and this host can't mount it.
 */
export async function chooseStorage(
  setting: 'auto' | Storage,
  host: Host,
  {identity, engine}: {identity: Identity; engine: EngineName},
): Promise<Storage> {
  if (setting === 'directory') return 'directory'
  if (engine !== 'proot' && (await findOverlayMounter(host, identity, engine)) !== undefined) return 'overlay'
  if (setting === 'overlay') throw storageUnavailableError()
  return 'directory'
}

/** Names what mounts the overlay: the engine itself, or a setup step before the engine starts. */
export type OverlayMounter = 'engine' | 'before'

const TRIAL_TIMEOUT_MS = 10_000

/**
 * Finds out what can mount an overlay for an engine; undefined where nothing can.
 *
 * The result of the trial mount is cached.
 */
export async function findOverlayMounter(
  host: Host,
  identity: Identity,
  engine: AnchorEngineName,
): Promise<OverlayMounter | undefined> {
  const {layers} = host.paths
  // Mounts that the host's root makes are locked in the guest's user namespace, and so would be the guest's layers.
  if (isMountingRoot(host) || !canBeMounted(layers)) return undefined
  await makeFolders(layers, {mode: 0o700})
  const mounter = await overlayTrialOf(host, identity, engine).once(() =>
    probeOverlay(host, identity, engine),
  )
  return mounter === 'none' ? undefined : mounter
}

/** Returns what is cached of the trial mount. */
export function overlayTrialOf(
  host: Host,
  identity: Identity,
  engine: AnchorEngineName,
): Trial<OverlayMounter | 'none'> {
  const {layers, cache: cacheFolder} = host.paths
  return openTrial(host, {
    cacheFolder,
    name: `overlay-${identity}`,
    schema: oneOfField(['engine', 'before', 'none']),
    facts: [engine, statSync(layers, {throwIfNoEntry: false})?.dev ?? '-'],
  })
}

/** Mounts layers as a trial. @throws {IdentityUnavailableError} */
export async function probeOverlay(
  host: Host,
  identity: Identity,
  engine: AnchorEngineName,
): Promise<OverlayMounter | 'none'> {
  return (await tryOverlay(host, identity, engine)) ?? 'none'
}

async function tryOverlay(
  host: Host,
  identity: Identity,
  engine: AnchorEngineName,
): Promise<OverlayMounter | undefined> {
  const byBwrap = () => isMountable(host, identity, (folders) => bwrapTrialArgv(host, identity, folders))
  const isConfined = engine === 'bwrap' && (await confinesMounts(host, identity))
  if (engine === 'bwrap' && !isConfined && (await byBwrap())) return 'engine'
  if (await isMountable(host, identity, (folders) => setupTrialArgv(host, identity, folders)))
    // The engine unshare mounts the overlay itself, and needs the same of the kernel as the setup step.
    return engine === 'bwrap' ? 'before' : 'engine'
  return isConfined && (await byBwrap()) ? 'engine' : undefined
}

/**
 * Returns whether bwrap has an AppArmor profile that this process has not. overlayfs opens files with the label of the mount's
 * maker, and AppArmor checks a file of a confined one once more, by a path that it can't resolve: programs with a profile
 * of their own, such as hostname on Ubuntu 26.04, would not start. See docs/decisions/0044-apparmor-ticket.md.
 */
async function confinesMounts(host: Host, identity: Identity): Promise<boolean> {
  const argv = [...(await bwrapWords(host, identity)), '--ro-bind', '/', '/', '--', 'cat', APPARMOR_LABEL]
  const {status, stdout} = await capture(argv, {timeout: TRIAL_TIMEOUT_MS})
  const label = stdout.trim()
  return status === 0 && !/^unconfined$|\(unconfined\)$/.test(label) && label !== ownLabel()
}

const APPARMOR_LABEL = '/proc/self/attr/apparmor/current'

/** @returns undefined on a kernel without AppArmor. */
function ownLabel(): string | undefined {
  return unlessErrno(() => readFileSync(APPARMOR_LABEL, 'utf8'))?.trim()
}

async function bwrapWords(host: Host, identity: Identity): Promise<string[]> {
  const bwrap = toolPath(host, 'bwrap')
  return identity === 'mapped'
    ? [...(await namespacePrefix(identity, host)), bwrap]
    : [bwrap, '--unshare-user', '--uid', '0', '--gid', '0']
}

async function bwrapTrialArgv(host: Host, identity: Identity, folders: TrialFolders): Promise<string[]> {
  const prefix = identity === 'mapped' ? await namespacePrefix(identity, host) : []
  return overlayTrial({bwrap: toolPath(host, 'bwrap'), identity, prefix, folders})
}

async function setupTrialArgv(host: Host, identity: Identity, folders: TrialFolders): Promise<string[]> {
  const tools = {unshare: toolPath(host, 'unshare'), mount: toolPath(host, 'mount')}
  return layersFirstTrial({prefix: await namespacePrefix(identity, host), ...tools, folders})
}

async function isMountable(
  host: Host,
  identity: Identity,
  trialArgv: (folders: TrialFolders) => Promise<string[]>,
): Promise<boolean> {
  requireRoom()
  return withTrialFolder(host, identity, async (folder) => {
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) =>
      join(folder, name),
    )
    if (lower === undefined || upper === undefined || work === undefined || merged === undefined) return false
    try {
      for (const each of [lower, upper, work, merged, join(lower, 'inner')]) await mkdir(each)
      for (const file of ['kept', 'gone', 'inner/file']) await writeFile(join(lower, file), 'x')
      const argv = await trialArgv({lower, upper, work, merged})
      return (await capture(argv, {timeout: TRIAL_TIMEOUT_MS})).status === 0
    } catch (error) {
      if (error instanceof ToolMissingError) return false
      throw error
    }
  })
}

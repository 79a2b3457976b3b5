import {closeSync, constants, existsSync, lstatSync, openSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {EnvsError, errnoOf, wordsForErrno} from '../errors.js'
import {isErrno, isFailure} from '../host/errno.js'
import {syncFolder} from '../host/files.js'
import type {Host} from '../host/host.js'
import {packageRoot, templatePath} from '../host/paths.js'
import {start} from '../host/process.js'
import {anchorFiles} from '../sandbox/anchor-state.js'
import {coverStrays} from '../sandbox/constants.js'
import type {Companion, OpenCompanion} from '../sandbox/spec.js'
import type {Environment} from '../store/environments.js'
import {
  applyRetention,
  freeLabel,
  type History,
  readHistory,
  type Snapshot,
  timeLabel,
  withNamed,
  withSnapshot,
  writeHistory,
} from '../store/history.js'
import {withReserve} from '../store/integrity/reserve.js'
import {
  identityOf,
  isEmptyLayer,
  type LayerId,
  layerFiles,
  makeUpper,
  newLayerId,
  removeEmptyLayer,
} from '../store/layers.js'
import {holdLayers, lockHistory} from '../store/locks.js'
import {mostLayers} from '../store/squash.js'
import type {SandboxFeature} from './feature.js'

/** Makes a restore point before each start, and whenever APT in the guest requests one. */
export const restorePoints: SandboxFeature = {
  id: 'restore-points',
  engines: ['bwrap', 'unshare'],
  async beforeStart({host, environment, wish, onNotice}) {
    if (environment.record.storage !== 'overlay') return
    const failure = await makeRestorePoint(host, environment, {isSynced: wish.durable !== 'never'})
    if (failure !== undefined)
      onNotice?.({kind: 'no-restore-point', name: environment.name, reason: reasonOf(failure)})
  },
  apply(spec, {host, environment, tree, isThrowaway}) {
    if (tree.kind !== 'overlay' || isThrowaway) return spec
    const {name, files} = environment
    const requests = restoreRequestCompanion({
      folder: files.resolver,
      upper: layerFiles(host.paths.layers, tree.history.upper).tree,
      command: [process.execPath, join(packageRoot(), 'bin', 'envs.js'), 'restore-point', name],
      environment: host.environment,
    })
    return {...spec, companions: [...spec.companions, requests]}
  },
}

function reasonOf(failure: unknown): string {
  if (failure instanceof EnvsError) return failure.message.replace(/\.$/, '')
  return wordsForErrno(errnoOf(failure) ?? 'unknown')
}

/**
 * Makes a restore point of the files written since the last one, for `envs undo`. Does nothing where nothing was written.
 *
 * @param options.isSynced - Whether the new files are synced to the disk.
 * @returns The failure, if there was one: the start matters more than the restore point.
 */
async function makeRestorePoint(
  host: Host,
  environment: Environment,
  {isSynced}: {isSynced: boolean},
): Promise<unknown> {
  const history = await readHistory(environment.files.history)
  const isFirst = !existsSync(anchorFiles(environment.files.run).state)
  const isEmpty = await isEmptyLayer(host.paths.layers, history.upper)
  // A new environment directly on its image needs none: `envs undo` finds its initial state without a record of it.
  if (isFirst ? history.layers.length === 1 || history.after !== undefined : isEmpty) return undefined
  try {
    const lock = await lockHistory(environment)
    try {
      await withReserve(host.paths, () => addRestorePoint(host, environment, {isFirst, isEmpty, isSynced}))
    } finally {
      lock.release()
    }
    return undefined
  } catch (error) {
    if (!isFailure(error)) throw error
    return error
  }
}

async function addRestorePoint(
  host: Host,
  environment: Environment,
  {isFirst, isEmpty, isSynced}: {isFirst: boolean; isEmpty: boolean; isSynced: boolean},
): Promise<void> {
  const {name, files} = environment
  const history = await readHistory(files.history)
  const now = host.now()
  const naming = {...(isFirst ? firstNaming(history, {isEmpty}) : automaticNaming(history, now)), name}
  const fresh = newLayerId(identityOf(history.upper))
  if (isEmpty) return writeHistory(files.history, withNamed(history, naming, {now}))
  const {layers} = host.paths
  const pushed = applyRetention(withSnapshot(history, naming, {now, fresh}), now)
  if (pushed.layers.length > mostLayers(layers, pushed.upper))
    return squashAndWrite(host, environment, {before: history, history: pushed, isSynced})
  const held = await holdLayers(host.paths)
  try {
    await makeFreshUpper(layers, fresh, {below: history.upper, isSynced})
    await writeHistory(files.history, pushed)
  } catch (error) {
    // The write may have failed in the sync after its rename.
    if ((await readHistory(files.history)).upper !== fresh) removeEmptyLayer(layerFiles(layers, fresh).folder)
    throw error
  } finally {
    held.release()
  }
}

/** Makes an upper layer that survives a power failure, as the history does that names it. */
async function makeFreshUpper(
  layers: string,
  fresh: LayerId,
  {below, isSynced}: {below: LayerId; isSynced: boolean},
): Promise<void> {
  await makeUpper(layers, fresh, {below})
  if (isSynced) await Promise.all([layers, layerFiles(layers, fresh).folder].map(syncFolder))
}

type RestorePointNaming = Pick<Snapshot, 'label' | 'kind'>

function automaticNaming(history: History, now: Date): RestorePointNaming {
  return {label: timeLabel(history, now, 'auto-'), kind: 'automatic'}
}

/** Names the first point of an environment with more than its image before its first start: a clone, or the source of one. */
function firstNaming(history: History, {isEmpty}: {isEmpty: boolean}): RestorePointNaming {
  const kind = isEmpty && history.layers.length === 2 ? 'initial' : 'cloned'
  return {label: freeLabel(history, kind), kind}
}

/** Imports its modules on demand: few starts exceed the limit of layers. */
async function squashAndWrite(
  host: Host,
  environment: Environment,
  {before, history, isSynced}: {before: History; history: History; isSynced: boolean},
): Promise<void> {
  const [{squashToLimit}, {withNewLayers}] = await Promise.all([
    import('../store/squash.js'),
    import('../store/gc.js'),
  ])
  const {files} = environment
  await withNewLayers(host, {files, before}, async () => {
    await makeFreshUpper(host.paths.layers, history.upper, {below: before.upper, isSynced})
    await writeHistory(files.history, await squashToLimit(host, environment, {history, isSynced}))
  })
}

/** The channel of a guest's requests for restore points. @see templates/host/restore-points.sh */
type RestoreRequests = {
  /** The folder that is bind-mounted at the guest's /run/envs. Untrusted: the guest can write to it. */
  readonly folder: string
  /** Tree of the environment's upper layer. */
  readonly upper: string
  /** argv of the command that makes a restore point; the first line of its output is the reply. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Returns the program that handles the requests. It ends with the first processes, which alone hold the writing end. */
function restoreRequestCompanion(requests: RestoreRequests): Companion {
  return {prepare: () => clearRequests(requests), open: () => openRequests(requests)}
}

/** Returns the paths of the FIFOs for requests and replies. */
function requestPaths(folder: string) {
  return [join(folder, 'restore-point'), join(folder, 'restore-point-answers')] as const
}

/**
 * Removes the FIFOs of the last start, which a program that still listens may have open.
 *
 * @returns The paths of the new FIFOs; none where the guest left a file that can't be removed.
 */
function clearRequests({folder}: RestoreRequests): readonly string[] {
  const paths = requestPaths(folder)
  try {
    for (const path of paths) rmSync(path, {force: true})
    return paths
  } catch (error) {
    if (!isErrno(error)) throw error
    return []
  }
}

/**
 * Opens the FIFOs before the environment starts: later changes of a guest to their names do not affect the open files.
 *
 * @returns undefined where the FIFOs were not made: the environment runs without this channel.
 */
function openRequests(requests: RestoreRequests): OpenCompanion | undefined {
  const opened: number[] = []
  const close = () => {
    for (const fd of opened.splice(0)) closeSync(fd)
  }
  try {
    const paths = requestPaths(requests.folder)
    if (!paths.every((path) => lstatSync(path).isFIFO())) return undefined
    const {O_RDONLY, O_WRONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK} = constants
    // O_RDWR, because an open of one end alone would wait for the other end.
    const [request, replies] = paths.map((path) => keep(openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)))
    if (request === undefined || replies === undefined) return undefined
    const reader = keep(openSync(`/proc/self/fd/${request}`, O_RDONLY))
    const writer = keep(openSync(`/proc/self/fd/${request}`, O_WRONLY))
    return {
      writer,
      launched: ({runFolder, devNull}) =>
        startListener(
          requests,
          runFolder,
          coverStrays(['ignore', 'ignore', 'ignore', reader, replies], devNull),
        ),
      close,
    }
  } catch (error) {
    close()
    if (!isErrno(error)) throw error
    return undefined
  }

  function keep(fd: number): number {
    opened.push(fd)
    return fd
  }
}

function startListener(
  {upper, command, environment}: RestoreRequests,
  runFolder: string,
  stdio: ReturnType<typeof coverStrays>,
): void {
  const child = start(['/bin/sh', templatePath('host/restore-points.sh'), runFolder, upper, ...command], {
    cwd: '/',
    env: environment,
    // Ctrl-C at the terminal of the current session must not end the listener.
    detached: true,
    stdio,
  })
  // Without a listener, the guest gets no reply.
  child.on('error', () => {})
  child.unref()
}

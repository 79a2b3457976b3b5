import {closeSync, constants, existsSync, lstatSync, openSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno, isFailure} from '../host/errno.js'
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
import {identityOf, isEmptyLayer, layerFiles, newLayerId} from '../store/layers.js'
import {lockHistory} from '../store/locks.js'
import {mostLayers} from '../store/squash.js'
import type {SandboxFeature} from './feature.js'

/** Points in time to go back to: one before each start, and one whenever APT in the guest asks for it. */
export const restorePoints: SandboxFeature = {
  id: 'restore-points',
  engines: ['bwrap', 'unshare'],
  async beforeStart({host, environment, wish}) {
    if (environment.record.storage !== 'overlay') return
    await keepRestorePoint(host, environment, {isSynced: wish.durable !== 'never'})
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

/**
 * Makes what was written since the last point in time one more, for `envs undo`. Does nothing where there is nothing to keep, or
 * where it can't be: a start is worth more than a way back.
 *
 * @param options.isSynced - Whether what is made anew is on the disk afterwards.
 */
async function keepRestorePoint(
  host: Host,
  environment: Environment,
  {isSynced}: {isSynced: boolean},
): Promise<void> {
  const history = await readHistory(environment.files.history)
  const isFirst = !existsSync(anchorFiles(environment.files.run).state)
  const isEmpty = await isEmptyLayer(host.paths.layers, history.upper)
  // What a new one began with is at hand for as long as it stands on its image alone.
  if (isFirst ? history.layers.length === 1 || history.after !== undefined : isEmpty) return
  try {
    const lock = await lockHistory(environment)
    try {
      await pushDown(host, environment, {isFirst, isEmpty, isSynced})
    } finally {
      lock.release()
    }
  } catch (error) {
    if (!isFailure(error)) throw error
  }
}

async function pushDown(
  host: Host,
  environment: Environment,
  {isFirst, isEmpty, isSynced}: {isFirst: boolean; isEmpty: boolean; isSynced: boolean},
): Promise<void> {
  const {name, files} = environment
  const history = await readHistory(files.history)
  const now = host.now()
  const naming = {...(isFirst ? beginning(history, {isEmpty}) : automatic(history, now)), name}
  const fresh = newLayerId(identityOf(history.upper))
  const pushed = isEmpty
    ? withNamed(history, naming, {now})
    : applyRetention(withSnapshot(history, naming, {now, fresh}), now)
  if (pushed.layers.length > mostLayers(host.paths.layers, pushed.upper))
    await squashAndWrite(host, environment, {history: pushed, isSynced})
  else await writeHistory(files.history, pushed)
}

type Naming = Pick<Snapshot, 'label' | 'kind'>

function automatic(history: History, now: Date): Naming {
  return {label: timeLabel(history, now, 'auto-'), kind: 'automatic'}
}

/** Of one that stands on more than its image before its first start: a clone, or what was cloned before it was used. */
function beginning(history: History, {isEmpty}: {isEmpty: boolean}): Naming {
  const kind = isEmpty && history.layers.length === 2 ? 'initial' : 'cloned'
  return {label: freeLabel(history, kind), kind}
}

/** Loaded for the one start in many that needs it. */
async function squashAndWrite(
  host: Host,
  environment: Environment,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<void> {
  const [{squashToLimit}, {replaceHistory}] = await Promise.all([
    import('../store/squash.js'),
    import('../store/gc.js'),
  ])
  const next = await squashToLimit(host, environment, {history, isSynced})
  await replaceHistory(host, environment, {from: history, to: next})
}

/** How a guest's requests for a point to go back to are met; templates/host/restore-points.sh says more. */
export type RestoreRequests = {
  /** The folder that is bound at the guest's /run/envs: hostile. */
  readonly folder: string
  /** What the environment has written since its start. */
  readonly upper: string
  /** The argument list that makes a point; the first line it prints is the answer. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Returns the program that meets the requests. It ends when the first processes, the only ones with the writing end, have. */
function restoreRequestCompanion(requests: RestoreRequests): Companion {
  return {prepare: () => clearRequests(requests), open: () => openRequests(requests)}
}

/** Where the FIFOs are to be made that a guest asks through, and is answered. */
function requestPaths(folder: string) {
  return [join(folder, 'restore-point'), join(folder, 'restore-point-answers')] as const
}

/**
 * Takes away what the environment had there before, which a program that still listens may have open.
 *
 * @returns Where FIFOs are to be made; none where the last guest left what can't be taken away.
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
 * Opens the FIFOs, which stay the same in spite of what a guest does to their names. Nothing of the environment may run yet.
 *
 * @returns undefined where they could not be made: the environment does without.
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
    // Reading and writing: whoever opens one end alone would wait for the other.
    const [request, replies] = paths.map((path) => keep(openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)))
    if (request === undefined || replies === undefined) return undefined
    const reader = keep(openSync(`/proc/self/fd/${request}`, O_RDONLY))
    const writer = keep(openSync(`/proc/self/fd/${request}`, O_WRONLY))
    return {
      writer,
      launched: ({runFolder, devNull}) =>
        listen(requests, runFolder, coverStrays(['ignore', 'ignore', 'ignore', reader, replies], devNull)),
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

function listen(
  {upper, command, environment}: RestoreRequests,
  runFolder: string,
  stdio: ReturnType<typeof coverStrays>,
): void {
  const child = start(['/bin/sh', templatePath('host/restore-points.sh'), runFolder, upper, ...command], {
    cwd: '/',
    env: environment,
    // Ctrl-C at the terminal of the session that started it is not meant for it.
    detached: true,
    stdio,
  })
  // Without one, nobody answers.
  child.on('error', () => {})
  child.unref()
}

import type {Host} from '../host/host.js'
import {isInUse} from '../sandbox/in-use.js'
import {findSnapshot, type History, withNamed, withSnapshot} from '../storage/history.js'
import {writeHistory} from '../storage/history-file.js'
import {identityOf, newLayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'
import {parseLabel, timeLabel} from '../storage/snapshot-label.js'
import {type AtRest, atRest, findWithHistory} from './at-rest.js'
import {EnvironmentRunningError} from './errors.js'
import {replaceHistory} from './replace-history.js'
import {FreezeFailedError, snapshotExistsError} from './snapshot-errors.js'
import {snapshotRunning, type TakenSnapshot} from './snapshot-running.js'
import {withinLimit} from './squash.js'

export type SnapshotRequest = {
  /** Undefined for one that says when. */
  readonly label: string | undefined
  /** Whether what is made anew is on the disk afterwards. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
}

/**
 * Keeps what an environment is now: at once where it is at rest, by a copy of what it has written where it runs.
 *
 * @throws {@link snapshotExistsError} @throws {TooManySnapshotsError} @throws {@link noHistoryError} @throws {EnvironmentNotFoundError}
 * @throws {@link environmentBusyError} @throws {LayerSpaceError} @throws {FreezeFailedError}
 */
export async function takeSnapshot(
  host: Host,
  text: string,
  request: SnapshotRequest,
): Promise<TakenSnapshot> {
  if (request.label !== undefined) parseLabel(request.label)
  const {name, files} = await findWithHistory(host, text)
  const running = {
    ...request,
    kind: 'manual' as const,
    chooseLabel: (history: History, now: Date) => chooseLabel(name, history, {wanted: request.label, now}),
  }
  if (await isInUse(files.run)) {
    const taken = await unlessItEnded(files.run, () => snapshotRunning(host, text, running))
    if (taken !== undefined) return taken
  }
  try {
    return await atRest(host, text, {force: false, command: 'snapshot'}, (found) =>
      sealUpper(host, found, request),
    )
  } catch (error) {
    // It began to run in between.
    const taken =
      error instanceof EnvironmentRunningError ? await snapshotRunning(host, text, running) : undefined
    if (taken === undefined) throw error
    return taken
  }
}

/** What ends by itself in the middle does not stand still, and is at rest then. */
async function unlessItEnded<T>(runFolder: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FreezeFailedError) || (await isInUse(runFolder))) throw error
    return undefined
  }
}

async function sealUpper(
  host: Host,
  {environment, history, isUpperEmpty}: AtRest,
  {label: wanted, isSynced}: SnapshotRequest,
): Promise<TakenSnapshot> {
  const {name, files} = environment
  const now = host.now()
  const label = chooseLabel(name, history, {wanted, now})
  const naming = {label, kind: 'manual', name} as const
  const done = {name, label, createdAt: now, copiedBytes: 0, frozenMs: 0}
  if (isUpperEmpty) {
    await writeHistory(files.history, withNamed(history, naming, {now}))
    return done
  }
  const fresh = newLayerId(identityOf(history.upper))
  await makeUpper(host.paths.layers, fresh, {below: history.upper})
  const sealed = withSnapshot(history, naming, {now, fresh})
  const to = await withinLimit(host, environment, {history: sealed, isSynced})
  await replaceHistory(host, environment, {from: history, to})
  return done
}

/** @throws {@link snapshotExistsError} */
function chooseLabel(
  name: string,
  history: History,
  {wanted, now}: {wanted: string | undefined; now: Date},
): string {
  if (wanted === undefined) return timeLabel(history, now)
  if (findSnapshot(history, wanted) !== undefined) throw snapshotExistsError({name, label: wanted})
  return wanted
}

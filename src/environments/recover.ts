import {rm} from 'node:fs/promises'
import {orNearest} from '../errors.js'
import {isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import type {Lock} from '../host/locks.js'
import {nearestNames} from '../host/nearest.js'
import {NAME_FIXES} from '../rootfs/fixes/index.js'
import {applyFixes} from '../rootfs/worker/api.js'
import {
  type Environment,
  type EnvironmentName,
  environmentFiles,
  filesIn,
  findRemoved,
  isTryName,
  listRemoved,
  makeStore,
  moveIntoPlace,
  parseEnvironmentName,
  type RemovedEnvironment,
  syncNames,
} from '../store/environments.js'
import {environmentExistsError, notRemovedError} from '../store/errors.js'
import {withReserve} from '../store/integrity/reserve.js'
import {holdLayers, lockEnvironment, lockTrash} from '../store/locks.js'
import {mergedTree} from '../store/mounted-tree.js'
import {readRecord} from '../store/record.js'
import {currentSizes} from '../store/sizes.js'
import {sweepTrash} from '../store/trash.js'
import {nameFacts} from './create/own-files.js'
import type {RecoverResult, RemovedListResult} from './results.js'

/**
 * Recovers a removed environment with all its snapshots, under its name or a new one. Of several with the same name, recovers the
 * one that was removed last.
 *
 * @param options.as - The new name; undefined for the name that it had.
 * @throws {@link notRemovedError} @throws {@link environmentExistsError} @throws {@link environmentBusyError}
 * @throws {@link layersBusyError}
 */
export async function recoverEnvironment(
  host: Host,
  text: string,
  {as}: {readonly as: string | undefined},
): Promise<RecoverResult> {
  const from = parseEnvironmentName(text)
  const name = as === undefined ? from : parseEnvironmentName(as)
  requireRemoved(host, from)
  await makeStore(host.paths)
  const locks: Lock[] = []
  try {
    locks.push(await lockEnvironment(host.paths, name, 'exclusive'))
    if ((await readRecord(environmentFiles(host.paths, name).record)) !== undefined)
      throw environmentExistsError(
        {name},
        {suggestions: [`Recover it under another name: envs recover ${from} --name NEW`]},
      )
    locks.push(await withReserve(host.paths, () => lockTrash(host.paths, from)))
    // No sweep deletes removed environments meanwhile, or layers that no name leads to.
    locks.push(await holdLayers(host.paths))
    const removed = requireRemoved(host, from)
    await putBack(host, removed, {name, locks})
    return {name, from, removedAt: removed.removedAt}
  } finally {
    for (const lock of locks) lock.release()
  }
}

/** @throws {@link notRemovedError} */
function requireRemoved({paths}: Host, name: EnvironmentName): RemovedEnvironment {
  const all = listRemoved(paths)
  const found = all.find((each) => each.name === name)
  if (found !== undefined) return found
  throw notRemovedError({name}, orNearest(nearestNames(name, [...new Set(all.map((each) => each.name))])))
}

async function putBack(
  host: Host,
  removed: RemovedEnvironment,
  {name, locks}: {readonly name: EnvironmentName; readonly locks: readonly Lock[]},
): Promise<void> {
  const files = filesIn(removed.folder)
  try {
    // Before the rename: after a kill in between, the same command completes the new name.
    if (name !== removed.name) await nameTree(host, removed, {name, locks})
    // The mark of a throwaway environment counts under such a name only, and a removed environment is none.
    if (isTryName(name)) await rm(files.tryMark, {force: true})
    await withReserve(host.paths, async () => moveIntoPlace(files.folder, environmentFiles(host.paths, name)))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw notRemovedError({name: removed.name}, {cause: error})
    throw error
  }
  await syncNames(host.paths)
}

/** Writes the new name into the files of the tree. @throws {RecordUnreadableError} */
async function nameTree(
  host: Host,
  {name: from, folder}: RemovedEnvironment,
  {name, locks}: {readonly name: EnvironmentName; readonly locks: readonly Lock[]},
): Promise<void> {
  const files = {...filesIn(folder), lock: environmentFiles(host.paths, name).lock}
  const record = await readRecord(files.record)
  if (record === undefined) throw notRemovedError({name: from})
  const {process, root} = await mergedTree(host, {name, files, record}, locks)
  await applyFixes(process, {root, facts: nameFacts(name, record.identity), only: NAME_FIXES})
}

/** Lists the removed environments that can be recovered, the last removed first. */
export async function listRemovedEnvironments(host: Host): Promise<RemovedListResult> {
  await sweepTrash(host)
  const all = listRemoved(host.paths)
  const found = await Promise.all(all.map((removed) => findRemoved(host.paths, removed)))
  const intact: Environment[] = found.filter((each) => each !== undefined)
  const sizes = await currentSizes(host, intact)
  return all.map(({name, identity, removedAt, keptUntil}, index) => {
    const environment = found[index]
    const size = environment === undefined ? undefined : sizes[intact.indexOf(environment)]
    return {
      name,
      removedAt,
      keptUntil,
      image:
        environment === undefined ? null : (environment.record.image.name ?? environment.record.image.source),
      identity,
      sizeBytes: size?.sizeBytes ?? null,
    }
  })
}

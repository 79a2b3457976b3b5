import {rm} from 'node:fs/promises'
import {settleMemory} from '../features/memory-files.js'
import type {Host} from '../host/host.js'
import type {Lock} from '../host/locks.js'
import {NAME_FIXES} from '../rootfs/fixes/index.js'
import {applyFixes} from '../rootfs/worker/api.js'
import {isInUse} from '../sandbox/processes.js'
import {
  type Environment,
  environmentFiles,
  findEnvironment,
  isTryName,
  moveIntoPlace,
  parseEnvironmentName,
  syncNames,
} from '../store/environments.js'
import {environmentExistsError, environmentRunningError} from '../store/errors.js'
import {holdLayers, lockEnvironment} from '../store/locks.js'
import {mergedTree} from '../store/mounted-tree.js'
import {readRecord} from '../store/record.js'
import {nameFacts} from './create/own-files.js'

const ANOTHER_NAME = 'Choose another name.'

/**
 * Renames a stopped environment, in the store and in its own files.
 *
 * @throws {@link environmentExistsError} @throws {EnvironmentRunningError} @throws {@link environmentBusyError}
 * @throws {@link layersBusyError}
 */
export async function renameEnvironment(host: Host, from: string, to: string): Promise<Environment> {
  const newName = parseEnvironmentName(to)
  const {name, files} = await findEnvironment(host.paths, from)
  if (name === newName) throw environmentExistsError({name: newName}, {suggestions: [ANOTHER_NAME]})
  // Sessions hold the lock: fail at once in place of a wait.
  if (await isInUse(files.run)) throw environmentRunningError({name})
  const locks: Lock[] = []
  try {
    // Every command takes its locks in this order, so that no two commands wait for each other.
    for (const each of [name, newName].sort())
      locks.push(await lockEnvironment(host.paths, each, 'exclusive'))
    // During the rename the store lists neither name: a garbage collection would remove the environment's layers.
    locks.push(await holdLayers(host.paths))
    return await move(host, await findEnvironment(host.paths, name), {newName, locks})
  } finally {
    for (const lock of locks) lock.release()
  }
}

async function move(
  host: Host,
  {name, files, record}: Environment,
  {newName, locks}: {readonly newName: Environment['name']; readonly locks: readonly Lock[]},
): Promise<Environment> {
  const newFiles = environmentFiles(host.paths, newName)
  if ((await readRecord(newFiles.record)) !== undefined)
    throw environmentExistsError({name: newName}, {suggestions: [ANOTHER_NAME]})
  if (await isInUse(files.run)) throw environmentRunningError({name})
  await settleMemory(host, {name, files, record})
  const {process, root} = await mergedTree(host, {name, files, record}, locks)
  await applyFixes(process, {
    root,
    facts: nameFacts(newName, record.identity),
    only: NAME_FIXES,
  })
  // A rename keeps a throwaway environment, so its mark is removed. With another name of that kind the mark would still count:
  // remove it before the rename.
  if (isTryName(newName)) await rm(files.tryMark, {force: true})
  moveIntoPlace(files.folder, newFiles)
  await rm(newFiles.tryMark, {force: true})
  await syncNames(host.paths)
  return {name: newName, files: newFiles, record}
}

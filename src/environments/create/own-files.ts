import {randomBytes} from 'node:crypto'
import {chmodSync, closeSync, fchmodSync, fsync, mkdirSync, openSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {withPath} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {NO_ARCHIVES} from '../../rootfs/fixes/apt-sources.js'
import type {Facts, PlannedFile} from '../../rootfs/worker/api.js'
import type {Identity} from '../../sandbox/identity.js'
import {buildFilter} from '../../sandbox/seccomp/filter.js'
import type {EnvironmentName} from '../../store/environments.js'

/** Placeholders in the planned files of an image's layer, replaced by the values of each environment. */
export const SLOTS = {name: '{{name}}', machineId: '{{machineId}}'} as const

/**
 * Writes the personal files of an environment into its empty upper layer, by the plan that was made with {@link SLOTS}.
 *
 * @param tree - A new folder that no guest has written to, so that it holds no symlink.
 */
export async function writePersonalFiles(
  tree: string,
  files: readonly PlannedFile[],
  {name, machineId, isSynced}: Pick<Facts, 'name' | 'machineId'> & {isSynced: boolean},
): Promise<void> {
  const folderModes = new Map(
    files.flatMap(({folders}) => folders.map(({path, mode}) => [path, mode] as const)),
  )
  for (const path of folderModes.keys()) mkdirSync(pathIn(tree, path), 0o700)
  const open: number[] = []
  try {
    for (const {path, mode, content} of files) {
      const text = Buffer.from(content, 'base64')
        .toString('latin1')
        .replaceAll(SLOTS.name, name)
        .replaceAll(SLOTS.machineId, machineId)
      const fd = openSync(pathIn(tree, path), 'wx', 0o600)
      open.push(fd)
      writeFileSync(fd, Buffer.from(text, 'latin1'))
      fchmodSync(fd, mode)
    }
    // In parallel, so that the journal commits them together.
    if (isSynced) await Promise.all(open.map((fd) => promisify(fsync)(fd)))
  } catch (error) {
    throw withPath(tree, error)
  } finally {
    for (const fd of open) closeSync(fd)
  }
  // Last, because a mode may deny its owner access.
  for (const [path, mode] of folderModes) chmodSync(pathIn(tree, path), mode)
}

function pathIn(tree: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(join(tree, '/')), Buffer.from(path, 'latin1')])
}

/** Returns the facts for the fixes of a new tree, with a new machine id. */
export function newTreeFacts(
  {architecture}: Pick<Host, 'architecture'>,
  known: Pick<Facts, 'name' | 'identity' | 'archives'>,
): Facts {
  return {
    ...known,
    machineId: randomBytes(16).toString('hex'),
    syncFilter: buildFilter(architecture, ['sync']).toString('base64'),
  }
}

/** Returns the facts for the fixes that write the environment's name; the other fixes are not applied with these. */
export function nameFacts(name: EnvironmentName, identity: Identity): Facts {
  return {name, identity, machineId: '', archives: NO_ARCHIVES, syncFilter: ''}
}

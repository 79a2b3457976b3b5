import {randomBytes} from 'node:crypto'
import {chmodSync, closeSync, fchmodSync, fsync, mkdirSync, openSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import type {Host} from '../../host/host.js'
import {NO_ARCHIVES} from '../../rootfs/fixes/apt-sources.js'
import type {Facts, PlannedFile} from '../../rootfs/worker/api.js'
import type {Identity} from '../../sandbox/identity.js'
import {buildFilter} from '../../sandbox/seccomp/filter.js'
import type {EnvironmentName} from '../../store/environments.js'

/** What stands in files of an image's layer for what each environment has of its own. */
export const SLOTS = {name: '{{name}}', machineId: '{{machineId}}'} as const

/**
 * Writes the files that are an environment's own into its empty upper layer, by the plan that was made with
 * {@link SLOTS}.
 *
 * @param tree - A new folder that no guest has seen: nothing in it can lead anywhere.
 */
export async function writePersonalFiles(
  tree: string,
  files: readonly PlannedFile[],
  {name, machineId, isSynced}: Pick<Facts, 'name' | 'machineId'> & {isSynced: boolean},
): Promise<void> {
  const folderModes = new Map(
    files.flatMap(({folders}) => folders.map(({path, mode}) => [path, mode] as const)),
  )
  for (const path of folderModes.keys()) mkdirSync(placeIn(tree, path), 0o700)
  const open: number[] = []
  try {
    for (const {path, mode, content} of files) {
      const text = Buffer.from(content, 'base64')
        .toString('latin1')
        .replaceAll(SLOTS.name, name)
        .replaceAll(SLOTS.machineId, machineId)
      const fd = openSync(placeIn(tree, path), 'wx', 0o600)
      open.push(fd)
      writeFileSync(fd, Buffer.from(text, 'latin1'))
      fchmodSync(fd, mode)
    }
    // All at once, which a journal writes in one go.
    if (isSynced) await Promise.all(open.map((fd) => promisify(fsync)(fd)))
  } finally {
    for (const fd of open) closeSync(fd)
  }
  // Only now: one may be closed to its owner.
  for (const [path, mode] of folderModes) chmodSync(placeIn(tree, path), mode)
}

function placeIn(tree: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(join(tree, '/')), Buffer.from(path, 'latin1')])
}

/** What the fixes of a new tree need to know. */
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

/** What the fixes that write the environment's name need to know: the rest of the tree stays as it is. */
export function nameFacts(name: EnvironmentName, identity: Identity): Facts {
  return {name, identity, machineId: '', archives: NO_ARCHIVES, syncFilter: ''}
}

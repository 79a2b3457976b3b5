import {chmodSync, closeSync, fchmodSync, fsyncSync, mkdirSync, openSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import type {Facts, PlannedFile} from '../rootfs/tree-process.js'

/** What stands in files of an image's layer for what each environment has of its own. */
export const SLOTS = {name: '{{name}}', machineId: '{{machineId}}'} as const

/**
 * Writes the files that are an environment's own into its empty upper layer, by the plan that was made with
 * {@link SLOTS}.
 *
 * @param tree - A new folder that no guest has seen: nothing in it can lead anywhere.
 */
export function writePersonalFiles(
  tree: string,
  files: readonly PlannedFile[],
  {name, machineId, isSynced}: Pick<Facts, 'name' | 'machineId'> & {isSynced: boolean},
): void {
  const folderModes = new Map(
    files.flatMap(({folders}) => folders.map(({path, mode}) => [path, mode] as const)),
  )
  for (const path of folderModes.keys()) mkdirSync(placeIn(tree, path), 0o700)
  for (const {path, mode, content} of files) {
    const text = Buffer.from(content, 'base64')
      .toString('latin1')
      .replaceAll(SLOTS.name, name)
      .replaceAll(SLOTS.machineId, machineId)
    writeFile(placeIn(tree, path), Buffer.from(text, 'latin1'), {mode, isSynced})
  }
  // Only now: one may be closed to its owner.
  for (const [path, mode] of folderModes) chmodSync(placeIn(tree, path), mode)
}

function writeFile(
  place: Buffer,
  content: Buffer,
  {mode, isSynced}: {mode: number; isSynced: boolean},
): void {
  const fd = openSync(place, 'wx', 0o600)
  try {
    writeFileSync(fd, content)
    fchmodSync(fd, mode)
    if (isSynced) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function placeIn(tree: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(join(tree, '/')), Buffer.from(path, 'latin1')])
}

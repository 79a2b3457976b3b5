import {copyFile, open} from 'node:fs/promises'
import {join} from 'node:path'
import type {PackagePlan} from '../archive/plan.js'
import type {EnvsError} from '../errors.js'
import {makeFolders} from '../host/folders.js'
import {readInstalledPackages} from '../rootfs/packages/installed.js'
import {bootstrapFailedError} from './bootstrap-errors.js'

const LAST_BYTES = 2048
const LAST_LINES = 8

/** The first package that dpkg does not have in a tree as the plan has it; undefined where all is well. */
export function findWrong(root: string, {packages}: Pick<PackagePlan, 'packages'>): string | undefined {
  const installed = new Map(
    (readInstalledPackages(root) ?? []).map(({name, version}) => [name, version] as const),
  )
  return packages.find(({name, version}) => installed.get(name) !== version)?.name
}

/**
 * Why an image could not be made, with the last that was said.
 *
 * @param facts.log - All that was said; it is copied to where it outlives the tree.
 */
export async function bootstrapFailure(
  name: string,
  reason: string,
  {log, cacheFolder}: {log: string; cacheFolder: string},
): Promise<EnvsError> {
  await makeFolders(cacheFolder, {mode: 0o700})
  const kept = join(cacheFolder, 'bootstrap.log')
  await copyFile(log, kept)
  const lastLines = await endOf(log)
  return bootstrapFailedError({name, reason, log: kept, lastLines: lastLines === '' ? '' : `\n${lastLines}`})
}

async function endOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const {size} = await file.stat()
    const bytes = Buffer.alloc(Math.min(size, LAST_BYTES))
    await file.read(bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8').trim().split('\n').slice(-LAST_LINES).join('\n')
  } finally {
    await file.close()
  }
}

import type {Paths} from '../host/paths.js'
import {RecordUnreadableError} from './errors.js'
import {readRecord} from './record.js'
import {environmentFiles, listNames} from './store.js'

/**
 * Which environments were made from each image, by its digest.
 *
 * @param except - Names of environments that do not count.
 */
export async function imageUsers(
  paths: Paths,
  except: ReadonlySet<string> = new Set(),
): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>()
  for (const name of (await listNames(paths)).filter((each) => !except.has(each))) {
    const record = await readRecord(environmentFiles(paths, name).record).catch(unlessDamaged)
    if (record === undefined) continue
    const {sha256} = record.image
    users.set(sha256, [...(users.get(sha256) ?? []), name])
  }
  return users
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof RecordUnreadableError)) throw error
}

import type {Host} from '../host/host.js'
import {findWholeEnvironment, listNames} from '../store/environments.js'
import {currentSizes} from '../store/sizes.js'
import {findByAge, type Prunable} from './prune.js'
import type {PruneResult} from './results.js'

/** Disk space that `envs prune` does not free, and what takes it. */
export type KeptSpace = PruneResult['kept']

/**
 * Finds the items that are only too young, and the size of the environments, whose removal is up to the user.
 *
 * @param found - The items that are old enough.
 */
export async function findKeptSpace(host: Host, found: readonly Prunable[]): Promise<KeptSpace> {
  const tries = new Set(found.flatMap(({kind, name}) => (kind === 'try' && name !== null ? [name] : [])))
  const all: readonly Prunable[] = await findByAge(host, {olderThan: host.now(), except: tries})
  const younger = all.flatMap((item) => withoutOlder(item, found))
  const names = (await listNames(host.paths)).filter((name) => !tries.has(name))
  const environments = await Promise.all(names.map((name) => findWholeEnvironment(host.paths, name)))
  const sizes = await currentSizes(
    host,
    environments.filter((each) => each !== undefined),
  )
  return {
    younger: younger.map(({kind, name, count, sizeBytes}) => ({kind, name, count, sizeBytes})),
    environments: {count: names.length, sizeBytes: sizes.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)},
  }
}

/** Returns what is left of an item without the part that is old enough, if anything. */
function withoutOlder(item: Prunable, found: readonly Prunable[]): Prunable[] {
  const older = found.find(({kind, name}) => kind === item.kind && name === item.name)
  const count = item.count - (older?.count ?? 0)
  const sizeBytes = Math.max(0, item.sizeBytes - (older?.sizeBytes ?? 0))
  return count > 0 ? [{...item, count, sizeBytes}] : []
}

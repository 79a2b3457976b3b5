import type {Host} from '../host/host.js'
import {type History, layersOf} from '../storage/history.js'
import {writeHistory} from '../storage/history-file.js'
import {sweepLayers} from './layer-sweep.js'
import type {Environment} from './store.js'

/**
 * Takes an environment from one history to the next. Then layers go that only the other one named: the old one's, or where
 * it failed those that were made for the new one.
 *
 * @throws {NodeJS.ErrnoException} Either of the two is in force.
 */
export async function replaceHistory(
  host: Host,
  {files}: Pick<Environment, 'files'>,
  {from, to}: {from: History; to: History},
): Promise<void> {
  try {
    await writeHistory(files.history, to)
  } finally {
    await sweepLayers(host, new Set([...layersOf(from), ...layersOf(to)]))
  }
}

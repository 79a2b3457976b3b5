import {isErrno} from '../host/errno.js'
import type {Paths} from '../host/paths.js'
import {HistoryUnreadableError} from '../storage/errors.js'
import {layersOf} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import type {LayerId} from '../storage/layer-id.js'
import {environmentFiles, listNames} from './store.js'

/**
 * How many environments are made of each layer, now or at a point in time; of a damaged one nothing is known.
 *
 * @param except - Names of environments that do not count.
 */
export async function countClaims(
  paths: Paths,
  except: ReadonlySet<string> = new Set(),
): Promise<ReadonlyMap<LayerId, number>> {
  const claims = new Map<LayerId, number>()
  for (const name of (await listNames(paths)).filter((each) => !except.has(each))) {
    const history = await readHistory(environmentFiles(paths, name).history).catch(unlessUnknown)
    if (history === undefined) continue
    for (const layer of layersOf(history)) claims.set(layer, (claims.get(layer) ?? 0) + 1)
  }
  return claims
}

function unlessUnknown(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT') && !(error instanceof HistoryUnreadableError)) throw error
}

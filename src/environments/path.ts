import type {Host} from '../host/host.js'
import {readGuestTree, treeFolders} from './guest-tree.js'
import type {PathResult} from './results.js'
import {chooseEnvironment} from './store.js'

export type EnvironmentPath = PathResult

/** @param text - Its name; undefined for the only one there is. @throws {HistoryUnreadableError} */
export async function environmentPath(
  {paths}: Pick<Host, 'paths'>,
  text: string | undefined,
): Promise<EnvironmentPath> {
  const environment = await chooseEnvironment(paths, text)
  const folders = treeFolders(paths, await readGuestTree(environment))
  return {name: environment.name, path: folders[0], layers: [...folders].reverse()}
}

import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import type {Paths} from './paths.js'

/** Programs that were fetched for this user: `tools/TOOL/VERSION/`, of which the last is used. */
export function toolsFolder({data}: Pick<Paths, 'data'>): string {
  return join(data, 'tools')
}

/** The folder of a fetched tool's programs; undefined where it was not fetched. */
export function fetchedTool(paths: Pick<Paths, 'data'>, tool: string): string | undefined {
  const folder = join(toolsFolder(paths), tool)
  try {
    const versions = readdirSync(folder).filter((entry) => !entry.startsWith('.'))
    const last = versions.sort().at(-1)
    return last === undefined ? undefined : join(folder, last)
  } catch {
    // Not there, or nobody's to read.
    return undefined
  }
}

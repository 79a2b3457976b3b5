import {createRequire} from 'node:module'
import {dirname, extname, join} from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'
import {packageRoot} from '../host/paths.js'

/** The command line of the worker: its bundle, or from the sources its module. */
export function workerProgram(): string[] {
  const here = fileURLToPath(import.meta.url)
  if (extname(here) !== '.ts') return [process.execPath, join(packageRoot(), 'dist', 'rootfs-worker.cjs')]
  const tsx = pathToFileURL(createRequire(here).resolve('tsx')).href
  return [process.execPath, '--import', tsx, join(dirname(here), 'worker.ts')]
}

import {createRequire} from 'node:module'
import {dirname, extname, join} from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'
import {packageRoot} from '../host/paths.js'

/** Returns the argv of the worker: its bundle, or its module when run from the sources. */
export function workerProgram(): string[] {
  const here = fileURLToPath(import.meta.url)
  if (extname(here) !== '.ts') return [process.execPath, join(packageRoot(), 'dist', 'rootfs-worker.cjs')]
  const tsx = pathToFileURL(createRequire(here).resolve('tsx')).href
  return [process.execPath, '--import', tsx, join(dirname(here), 'worker.ts')]
}

import {dirname, extname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {packageRoot} from '../host/paths.js'

/** The command line of the worker: its bundle, or from the sources its module. */
export function workerProgram(): string[] {
  const here = fileURLToPath(import.meta.url)
  if (extname(here) !== '.ts') return [process.execPath, join(packageRoot(), 'dist', 'rootfs-worker.cjs')]
  return [process.execPath, '--import', import.meta.resolve('tsx'), join(dirname(here), 'worker.ts')]
}

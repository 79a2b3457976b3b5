import {isErrno} from '../host/errno.js'
import {capture} from '../host/process.js'
import type {TreeProcess} from './ask-worker.js'

/** Unit of du(1) with -k; file systems allocate whole units. */
const UNIT_BYTES = 1024

/**
 * Measures a tree by du(1), which takes a fraction of the time of Node.
 *
 * @returns Bytes; undefined if du(1) is missing or could not read all of the tree.
 */
export async function measureByTool(
  {prefix, environment}: TreeProcess,
  path: string,
): Promise<number | undefined> {
  try {
    const {status, stdout} = await capture([...prefix, 'du', '-s', '-k', '--', path], {
      cwd: '/',
      env: environment,
    })
    const [, units] = /^(\d+)\t/.exec(stdout) ?? []
    return status === 0 && units !== undefined ? Number(units) * UNIT_BYTES : undefined
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

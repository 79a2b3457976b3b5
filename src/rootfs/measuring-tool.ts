import {isErrno} from '../host/errno.js'
import {capture} from '../host/process.js'
import type {TreeProcess} from './ask-worker.js'

/** du(1) counts in these with -k; what file systems allocate are whole ones. */
const UNIT_BYTES = 1024

/**
 * What a tree takes on disk by du(1), which walks it in a fraction of the time that Node needs.
 *
 * @returns Bytes; undefined where it is not to be had, or could not look at all of the tree.
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

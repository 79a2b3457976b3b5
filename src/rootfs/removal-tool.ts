import {lstatSync} from 'node:fs'
import {isErrno} from '../host/errno.js'
import {ended, start} from '../host/process.js'
import type {TreeProcess} from './ask-worker.js'

/**
 * Takes a tree away with rm(1), as far as that can: folders closed to their owner it leaves. It follows no link, and
 * leaves alone what is mounted in the tree.
 *
 * @returns Whether nothing is left.
 * @throws The signal's reason when it is aborted.
 */
export async function removeByTool(
  {prefix, environment}: TreeProcess,
  path: string,
  {signal}: {readonly signal?: AbortSignal | undefined} = {},
): Promise<boolean> {
  signal?.throwIfAborted()
  const child = start([...prefix, 'rm', '-rf', '--one-file-system', '--', path], {
    cwd: '/',
    env: environment,
    stdio: 'ignore',
  })
  const stop = () => child.kill()
  signal?.addEventListener('abort', stop)
  try {
    await ended(child)
  } catch (error) {
    // Not there: then it is nobody's loss.
    if (!isErrno(error)) throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  signal?.throwIfAborted()
  return isGone(path)
}

function isGone(path: string): boolean {
  try {
    lstatSync(path)
    return false
  } catch (error) {
    return isErrno(error, 'ENOENT')
  }
}

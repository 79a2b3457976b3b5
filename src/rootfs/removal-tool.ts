import {lstatSync} from 'node:fs'
import {isErrno} from '../host/errno.js'
import {ended, start} from '../host/process.js'
import type {TreeProcess} from './ask-worker.js'

/**
 * Removes a tree with rm(1), except for folders without permissions for their owner. Follows no link, and
 * does not enter mounts in the tree.
 *
 * @returns Whether everything was removed.
 * @throws The signal's reason after an abort.
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
    // rm(1) is missing; the worker removes the tree.
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

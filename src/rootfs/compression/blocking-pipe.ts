import {closeSync, constants, mkdtempSync, openSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {capture} from '../../host/process.js'

const {O_RDONLY, O_RDWR, O_WRONLY} = constants

/** Both ends of a pipe; whoever opened it closes them. */
export type BlockingPipe = {readonly readFd: number; readonly writeFd: number}

/**
 * Opens a pipe that can be read by blocking calls: what Node gives a child instead is a socket that can't be,
 * and reading that costs more than writing what came from it.
 *
 * @param mkfifo - The program: Node has no call for pipe(2) either.
 * @returns undefined when the host has no place for one.
 */
export async function openBlockingPipe(mkfifo: string): Promise<BlockingPipe | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'envs-pipe-'))
  try {
    const path = join(folder, 'pipe')
    const {status} = await capture([mkfifo, '-m', '600', path])
    if (status !== 0) return undefined
    // While this end is open for both, neither of the others waits for its partner.
    const held = openSync(path, O_RDWR)
    try {
      return {readFd: openSync(path, O_RDONLY), writeFd: openSync(path, O_WRONLY)}
    } finally {
      closeSync(held)
    }
  } finally {
    rmSync(folder, {recursive: true, force: true})
  }
}

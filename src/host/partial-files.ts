import {randomBytes} from 'node:crypto'
import {opendirSync, unlinkSync} from 'node:fs'
import {basename, dirname, join} from 'node:path'
import {isErrno} from './errno.js'

const MARK = '.partial-'
const WRITER = /\.partial-(\d+)-[0-9a-f]{8}$/
/** A guest may have filled the folder. */
const MOST_ENTRIES = 1000

/** Where this process puts together what is to be renamed to `path`; another place each time. */
export function partialPath(path: string): string {
  return `${path}${MARK}${process.pid}-${randomBytes(4).toString('hex')}`
}

/** The process that puts together what is to be `path`; undefined where `name` is of something else. */
export function writerOf(name: string, path: string): number | undefined {
  const pid = name.startsWith(`${basename(path)}${MARK}`) ? WRITER.exec(name)?.[1] : undefined
  return pid === undefined ? undefined : Number(pid)
}

/**
 * Takes away what writers of the same file left that were killed. What can't be goes with a later write.
 *
 * In a container or on another machine, process ids are others: a live writer may lose its file, and has to begin again.
 */
export async function removeForsaken(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    const entries = opendirSync(folder, {bufferSize: MOST_ENTRIES})
    try {
      for (let count = 0; count < MOST_ENTRIES; count++) {
        const {name} = entries.readSync() ?? {}
        if (name === undefined) break
        const pid = writerOf(name, path)
        if (pid !== undefined && !isAlive(pid)) unlinkSync(join(folder, name))
      }
    } finally {
      entries.closeSync()
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}

/** Another user's process counts too. @see kill(2) */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}

import {readdir, unlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoring, isErrno} from '../host/errno.js'
import {makeFolders} from '../host/folders.js'
import type {Paths} from '../host/paths.js'
import {type SuitePlace, storageError} from './errors.js'
import {keyOf} from './place.js'

/** A time in milliseconds since 1970. */
const NAME = /^\d{1,15}$/

/**
 * Where it is remembered of what date a suite's Release was that a mirror once served: a folder with one empty file, whose
 * name is that date. So two commands at once need no lock, and none of them can set it back.
 */
export function seenFolder({data}: Pick<Paths, 'data'>, place: SuitePlace): string {
  return join(data, 'archive', 'seen', keyOf(place))
}

/** The newest date that was seen; undefined where none was. @throws {ArchiveStorageError} */
export async function newestSeen(folder: string): Promise<Date | undefined> {
  const times = (await datesIn(folder)).map(Number)
  return times.length === 0 ? undefined : new Date(Math.max(...times))
}

/** @throws {ArchiveStorageError} */
export async function rememberSeen(folder: string, date: Date): Promise<void> {
  const name = String(date.getTime())
  try {
    await makeFolders(folder, {mode: 0o700})
    await writeFile(join(folder, name), '', {mode: 0o600})
    for (const other of await datesIn(folder)) {
      if (Number(other) < date.getTime()) await unlink(join(folder, other)).catch(ignoring('ENOENT'))
    }
  } catch (error) {
    throw storageError(folder, error)
  }
}

async function datesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw storageError(folder, error)
  }
}

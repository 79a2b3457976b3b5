import {randomBytes} from 'node:crypto'
import {constants} from 'node:fs'
import {type FileHandle, lstat, open, opendir, rm, unlink, writeFile} from 'node:fs/promises'
import {basename, dirname, isAbsolute, join} from 'node:path'
import {ignoreFailure, ignoring, isErrno} from '../../host/errno.js'
import {makeFolders, namesIn, readSmallFile, writerOf} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {isLockOf, type Lock, lockDescriptor, takeLock} from '../../host/locks.js'

/** Where the store notes the unfinished file of an export, which may be anywhere: a sweep removes that of a killed one. */
export type ExportNote = {
  /** Notes the path of the unfinished file, before it is made. */
  write(partial: string): Promise<void>
  remove(): Promise<void>
}

const NOTE_FORM = /^[0-9a-f]{16}$/
const MAX_ATTEMPTS = 3

/** Opens a note that counts as long as this process lives; undefined where the store can't be written to. */
export function openExportNote(host: Pick<Host, 'paths'>): Promise<ExportNote | undefined> {
  return openNote(host).catch(ignoring())
}

async function openNote({paths}: Pick<Host, 'paths'>): Promise<ExportNote> {
  const folder = notesFolder({paths})
  await makeFolders(folder, {mode: 0o700})
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, randomBytes(8).toString('hex'))
    const lock = await takeLock(path, {mode: 'exclusive', waitMs: 0})
    // A sweep may have removed the new file before it was locked.
    if (lock !== undefined && isLockOf(lock, path)) return noteAt(path, lock)
    lock?.release()
    if (attempt === MAX_ATTEMPTS) throw new Error(`${path} is locked or gone again and again`)
  }
}

function noteAt(path: string, lock: Lock): ExportNote {
  return {
    async write(partial) {
      // On a full disk an export to another one still works.
      await writeFile(path, partial).catch(ignoring())
    },
    async remove() {
      await rm(path, {force: true})
      lock.release()
    },
  }
}

function notesFolder({paths: {data}}: Pick<Host, 'paths'>): string {
  return join(data, 'exports')
}

/** Removes the unfinished files of killed exports. Ignores failures, as every sweep does. */
export async function sweepExports(host: Pick<Host, 'paths'>): Promise<void> {
  const folder = notesFolder(host)
  for (const name of namesIn(folder).filter((each) => NOTE_FORM.test(each)))
    await sweepExport(join(folder, name)).catch(ignoreFailure)
}

async function sweepExport(path: string): Promise<void> {
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: 0})
  if (lock === undefined) return
  try {
    const partial = readSmallFile(path)
    // No other file than an unfinished one is ever removed, whatever the note says.
    if (isAbsolute(partial) && writerOf(basename(partial), finalPath(partial)) !== undefined)
      await removeAbandonedExport(partial).catch(ignoring())
    await rm(path, {force: true})
  } finally {
    lock.release()
  }
}

function finalPath(partial: string): string {
  return partial.replace(/\.partial-[^/]*$/, '')
}

const {O_RDWR, O_NOFOLLOW, O_NONBLOCK} = constants

/** Removes the partial files of killed exports to the same path, as far as possible. */
export async function removeAbandonedExports(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    for await (const {name} of await opendir(folder)) {
      if (writerOf(name, path) !== undefined)
        await removeAbandonedExport(join(folder, name)).catch(ignoring())
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}

/** Removes one partial file after checking its owner and type: other users can create such a name in a shared folder. */
async function removeAbandonedExport(partial: string): Promise<void> {
  const {uid} = await lstat(partial)
  if (uid !== process.getuid?.()) return
  const handle = await open(partial, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  try {
    if ((await handle.stat()).isFile() && (await lockExport(handle)) === 'ours') await unlink(partial)
  } finally {
    await handle.close()
  }
}

/** Locks the file. @returns `unknown` on a file system without locks, where abandoned files are not removed. */
export function lockExport({fd}: FileHandle): Promise<'ours' | 'others' | 'unknown'> {
  return lockDescriptor(fd, {mode: 'exclusive', waitMs: 0}).then(
    (isFree) => (isFree ? 'ours' : 'others'),
    () => 'unknown',
  )
}

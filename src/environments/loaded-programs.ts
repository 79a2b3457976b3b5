import {existsSync} from 'node:fs'
import {chmod, readdir, rm, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {succeeds} from '../host/id-mapper.js'
import {ToolNotRunnableError} from './emulation-errors.js'

/** Folders of a fetched tool whose programs load libraries. */
export function libraryFolders(folder: string): {readonly libc: string; readonly others: string} {
  return {libc: join(folder, 'libc'), others: join(folder, 'lib')}
}

/** By the dynamic linker's name, with which libc6 brings it. @see ld.so(8) */
const LOADER = /^ld(?:-linux[A-Za-z0-9_-]*|64)\.so\.[0-9]+$/
/** Where hosts have theirs. */
const LOADER_FOLDERS = ['/lib64', '/lib', '/usr/lib64', '/usr/lib']

/**
 * Makes programs that lie in `lib/` start by name: with the host's own dynamic linker and C library where these do, so that
 * what runs is root's file and not the user's, else with those that were fetched.
 *
 * @param folder - Of the tool; it may be renamed later.
 * @throws {ToolNotRunnableError} When neither way works.
 */
export async function layStarters(tool: string, folder: string, programs: readonly string[]): Promise<void> {
  const {libc} = libraryFolders(folder)
  const loader = (await readdir(libc)).find((name) => LOADER.test(name))
  if (loader === undefined) throw new ToolNotRunnableError(tool)
  const names = programs.map((path) => basename(path))
  const host = LOADER_FOLDERS.map((place) => join(place, loader)).find((path) => existsSync(path))
  if (host !== undefined && (await isStarting(folder, names, `${host} --library-path "$here/lib"`))) {
    await rm(libc, {recursive: true})
    return
  }
  const own = `"$here/libc/${loader}" --library-path "$here/libc:$here/lib"`
  if (!(await isStarting(folder, names, own))) throw new ToolNotRunnableError(tool)
}

/** Writes a starter for each program. @param way - Words of a shell before it. @returns Whether all of them start. */
async function isStarting(folder: string, names: readonly string[], way: string): Promise<boolean> {
  for (const name of names) {
    const path = join(folder, name)
    await writeFile(path, `#!/bin/sh\nhere=\${0%/*}\nexec ${way} "$here/lib/${name}" "$@"\n`, {mode: 0o755})
    await chmod(path, 0o755)
    if (!(await succeeds([path, '--version']))) return false
  }
  return true
}

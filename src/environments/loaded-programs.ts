import {existsSync} from 'node:fs'
import {chmod, readdir, rm, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {succeeds} from '../host/id-mapper.js'
import {toolNotRunnableError} from './emulation-errors.js'

/** Folders of a fetched tool whose programs load libraries. */
export function libraryFolders(folder: string): {readonly libc: string; readonly others: string} {
  return {libc: join(folder, 'libc'), others: join(folder, 'lib')}
}

/** A tool whose programs load libraries. */
export type LoadedTool = {
  readonly tool: string
  /** As their package calls them: `usr/bin/proot`. */
  readonly programs: readonly string[]
  /** Files that the programs read: where the package has them, where the tool has them, and the option that names the folder. */
  readonly modules?: {readonly place: RegExp; readonly folder: string; readonly option: string}
  /** Arguments by which a program shows that it works: `--version` where they are left out. */
  readonly trial?: readonly string[]
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
 * @param options.isPortable - Whether it may be moved to another host: then only with those that were fetched.
 * @throws {@link toolNotRunnableError} When neither way works.
 */
export async function layStarters(
  tool: LoadedTool,
  folder: string,
  {isPortable = false}: {isPortable?: boolean | undefined} = {},
): Promise<void> {
  const {libc} = libraryFolders(folder)
  const loader = (await readdir(libc)).find((name) => LOADER.test(name))
  if (loader === undefined) throw toolNotRunnableError({tool: tool.tool})
  const places = isPortable ? [] : LOADER_FOLDERS
  const host = places.map((place) => join(place, loader)).find((path) => existsSync(path))
  if (host !== undefined && (await isStarting(folder, tool, `${host} --library-path "$here/lib"`))) {
    await rm(libc, {recursive: true})
    return
  }
  const own = `"$here/libc/${loader}" --library-path "$here/libc:$here/lib"`
  if (!(await isStarting(folder, tool, own))) throw toolNotRunnableError({tool: tool.tool})
}

/** Writes a starter for each program. @param way - Words of a shell before it. @returns Whether all of them start. */
async function isStarting(
  folder: string,
  {programs, modules, trial = ['--version']}: LoadedTool,
  way: string,
): Promise<boolean> {
  const options = modules === undefined ? '' : `${modules.option} "$here/${modules.folder}" `
  for (const name of programs.map((path) => basename(path))) {
    const path = join(folder, name)
    const script = `#!/bin/sh\nhere=\${0%/*}\nexec ${way} "$here/lib/${name}" ${options}"$@"\n`
    await writeFile(path, script, {mode: 0o755})
    await chmod(path, 0o755)
    if (!(await succeeds([path, ...trial]))) return false
  }
  return true
}

import {existsSync, readdirSync, renameSync} from 'node:fs'
import {join} from 'node:path'
import {orNearest} from '../errors.js'
import {syncFolder} from '../host/atomic-file.js'
import {isErrno} from '../host/errno.js'
import {makeFolders} from '../host/folders.js'
import {nearestNames} from '../host/nearest.js'
import type {Paths} from '../host/paths.js'
import {
  ambiguousEnvironmentError,
  EnvironmentNotFoundError,
  environmentNotFoundError,
  noEnvironmentError,
  RecordUnreadableError,
  storeFolderTakenError,
} from './errors.js'
import {type EnvironmentName, isEnvironmentName, isTryName, parseEnvironmentName} from './name.js'
import {type EnvironmentRecord, readRecord} from './record.js'
import {mendRunFolder} from './run-folder.js'

/** Where the parts of one environment lie, whether it exists or not. */
export type EnvironmentFiles = {
  readonly folder: string
  /** Becomes the guest's `/`; with `directory` storage only. */
  readonly root: string
  /** Which layers it is stacked of; with `overlay` storage only. */
  readonly history: string
  readonly record: string
  /** What the image has and the tree has not; missing where that is nothing. */
  readonly ledger: string
  /** Marks one that goes by itself; see tries.ts. */
  readonly tryMark: string
  /** Run-time state; kept beside the tree, so that every login of the user finds the same. */
  readonly run: string
  /** Bound into the guest, read-only as far as its root lets it be: hostile. */
  readonly resolver: string
  /** Lies outside the folder: it must outlive a rename or a removal that others wait for. */
  readonly lock: string
}

export type Environment = {
  readonly name: EnvironmentName
  readonly files: EnvironmentFiles
  readonly record: EnvironmentRecord
}

export function environmentFiles(paths: Paths, name: EnvironmentName): EnvironmentFiles {
  const folder = join(paths.environments, name)
  return {...filesIn(folder), lock: join(paths.locks, `${name}.lock`)}
}

export function filesIn(folder: string): Omit<EnvironmentFiles, 'lock'> {
  return {
    folder,
    root: join(folder, 'rootfs'),
    history: join(folder, 'history.json'),
    record: join(folder, 'env.json'),
    ledger: join(folder, 'ledger.jsonl'),
    tryMark: join(folder, 'try'),
    run: join(folder, 'run'),
    resolver: join(folder, 'run', 'resolver'),
  }
}

/** Makes the folders of the store; nobody else may look into trees that hold setuid files of this user. */
export async function makeStore(paths: Paths): Promise<void> {
  for (const folder of [paths.environments, paths.locks]) await makeFolders(folder, {mode: 0o700})
}

/**
 * Makes a folder an environment, or gives it another name, by one rename; to survive a power cut it wants {@link syncNames}.
 *
 * @throws {@link storeFolderTakenError} When files that are no environment are in the way. Nothing was moved, whatever is thrown.
 */
export function moveIntoPlace(from: string, {folder}: Pick<EnvironmentFiles, 'folder'>): void {
  try {
    renameSync(from, folder)
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw storeFolderTakenError({folder})
    throw error
  }
}

/** Makes the names that environments have now survive a power cut. */
export async function syncNames(paths: Pick<Paths, 'environments'>): Promise<void> {
  await syncFolder(paths.environments)
}

/** Names that look like environments, in order; their records are not read. */
export async function listNames(paths: Paths): Promise<EnvironmentName[]> {
  return foldersOf(paths.environments).filter(isEnvironmentName).sort()
}

function foldersOf(path: string): string[] {
  try {
    return readdirSync(path, {withFileTypes: true})
      .filter((entry) => entry.isDirectory())
      .map(({name}) => name)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/**
 * What a guest has spoiled of its run-time folder is put right.
 *
 * @throws {EnvironmentNotFoundError} @throws {RecordUnreadableError} @throws {UsageError}
 */
export async function findEnvironment(paths: Paths, text: string): Promise<Environment> {
  const name = parseEnvironmentName(text)
  const files = environmentFiles(paths, name)
  mendRunFolder(files)
  const record = await readRecord(files.record)
  if (record === undefined)
    throw environmentNotFoundError({name}, orNearest(nearestNames(name, await listNames(paths))))
  return {name, files, record}
}

/** @returns undefined where it went meanwhile, or its record can't be read. @throws {UsageError} */
export async function findWholeEnvironment(paths: Paths, text: string): Promise<Environment | undefined> {
  return findEnvironment(paths, text).catch((error: unknown) => {
    if (error instanceof RecordUnreadableError || error instanceof EnvironmentNotFoundError) return undefined
    throw error
  })
}

/**
 * The environment of that name; without a name the only one there is, those that go by themselves left out.
 *
 * @throws {@link noEnvironmentError} @throws {@link ambiguousEnvironmentError}
 */
export async function chooseEnvironment(paths: Paths, text: string | undefined): Promise<Environment> {
  if (text !== undefined) return findEnvironment(paths, text)
  const names = (await listNames(paths)).filter((name) => !isTry(paths, name))
  const [only] = names
  if (only === undefined) throw noEnvironmentError()
  if (names.length > 1) throw ambiguousEnvironmentError({count: names.length, names})
  return findEnvironment(paths, only)
}

function isTry(paths: Paths, name: EnvironmentName): boolean {
  return isTryName(name) && existsSync(environmentFiles(paths, name).tryMark)
}

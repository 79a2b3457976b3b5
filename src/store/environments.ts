import {randomBytes} from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
} from 'node:fs'
import {join} from 'node:path'
import {orNearest, UsageError} from '../errors.js'
import {isErrno, unlessErrno} from '../host/errno.js'
import {makeFolders, syncFolder} from '../host/files.js'
import {isOpenSomewhere} from '../host/locks.js'
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
import {type EnvironmentRecord, readRecord} from './record.js'

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

/** A name that was checked: safe as a file name, a hostname and a word on a command line. */
export type EnvironmentName = string & {readonly __brand: 'EnvironmentName'}

/** A dot or dash can't come first, so that no name is a hidden file, `..`, or an option. */
const FORM = /^[a-z0-9][a-z0-9_.-]{0,62}$/

export function isEnvironmentName(text: string): text is EnvironmentName {
  return FORM.test(text)
}

/** Whether it can be one that goes by itself: only then a mark of it counts. */
export function isTryName(name: EnvironmentName): boolean {
  return /^try-[1-9]\d{0,5}$/.test(name)
}

/** @throws {UsageError} */
export function parseEnvironmentName(text: string): EnvironmentName {
  if (isEnvironmentName(text)) return text
  throw new UsageError(`"${text}" is not a valid name for an environment.`, [
    'Use 1 to 63 characters of a-z, 0-9, dot, dash and underscore; begin with a letter or a digit.',
  ])
}

/** What envs makes of each entry of an environment's run-time folder. Other entries are nothing that it reads. */
const FORMS: readonly (readonly [RegExp, Form])[] = [
  [/^(?:anchor|history)\.lock$/, 'lock'],
  [/^(?:hold|alive|looks)$/, 'fifo'],
  [/^(?:anchor\.json|join|memory\..*)$/, 'record'],
  [/^(?:resolver|merged|proot)$/, 'folder'],
]

type Form = 'lock' | 'fifo' | 'record' | 'folder'

/** A plan to join is the largest, with variables of its user; see MAX_PLAN_BYTES of templates/host/join.pl. */
const MOST_RECORD_BYTES = 2 ** 20

/**
 * Puts right what is not as envs made it in an environment's run-time folder, and its lock. Up to version 0.1 a guest's root reached files of it
 * through descriptors of the first process, and could change their modes, owners and sizes. What can't be mended is made anew.
 *
 * A lock that is held, and a FIFO that is open, stay as they are. Never throws for the state of a file: whoever needs one that could not be mended says so.
 */
export function mendRunFolder({run, lock}: {readonly run: string; readonly lock: string}): void {
  mendEntry(lock, 'lock')
  const status = lstatSync(run, {throwIfNoEntry: false})
  if (status === undefined) return
  unlessErrno(() => {
    if (!status.isDirectory() || !isOwn(status)) {
      moveAside(run, status)
      return
    }
    if ((status.mode & 0o700) !== 0o700) chmodSync(run, 0o700)
    for (const name of readdirSync(run)) {
      const form = FORMS.find(([names]) => names.test(name))?.[1]
      if (form !== undefined) mendEntry(join(run, name), form)
    }
  })
}

function mendEntry(path: string, form: Form): void {
  unlessErrno(() => {
    const status = lstatSync(path, {throwIfNoEntry: false})
    if (status === undefined) return
    if (!isOwn(status) || !hasForm(status, form)) {
      const isUsed = (form === 'lock' || form === 'fifo') && isHeld(path, status)
      if (!isUsed) moveAside(path, status)
      return
    }
    const needed = form === 'folder' ? 0o700 : 0o600
    if ((status.mode & needed) !== needed) chmodSync(path, status.mode | needed)
  })
}

function hasForm(status: Stats, form: Form): boolean {
  switch (form) {
    case 'folder':
      return status.isDirectory()
    case 'fifo':
      return status.isFIFO()
    case 'record':
      return status.isFile() && status.size <= MOST_RECORD_BYTES
    case 'lock':
      return status.isFile()
  }
}

function isOwn({uid}: Stats): boolean {
  return uid === process.geteuid?.()
}

/** Without opening it, which its mode or owner may forbid. */
function isHeld(path: string, {ino}: Stats): boolean {
  const isListed = readFileSync('/proc/locks', 'latin1').includes(`:${ino} `)
  // A kernel of a container does not list locks of processes that are gone, as flock(1) is.
  return isListed || isOpenSomewhere(path)
}

/** Files go; a folder may be full of another owner's, and goes with the environment where it can't now. */
function moveAside(path: string, status: Stats): void {
  if (!status.isDirectory()) {
    rmSync(path)
    return
  }
  const aside = `${path}.spoiled-${randomBytes(4).toString('hex')}`
  renameSync(path, aside)
  rmSync(aside, {recursive: true, force: true})
}

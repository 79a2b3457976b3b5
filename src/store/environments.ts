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
import {checkStoreFormat, noteStoreFormat} from './integrity/format.js'
import {keepReserve} from './integrity/reserve.js'
import {type EnvironmentRecord, readRecord} from './record.js'

/** Paths of the parts of one environment, which need not exist. */
export type EnvironmentFiles = {
  readonly folder: string
  /** Becomes the guest's `/`; with `directory` storage only. */
  readonly root: string
  /** The layers and the snapshots; with `overlay` storage only. */
  readonly history: string
  readonly record: string
  /** Files and metadata of the image that the tree lacks; missing when it lacks nothing. */
  readonly ledger: string
  /** Marks a throwaway environment of `envs try`. */
  readonly tryMark: string
  /** Run-time state; kept in the environment's folder, so that every login of the user finds the same. */
  readonly run: string
  /** Folder that is bind-mounted into the guest. Its root can undo the read-only mount with some engines: hostile. */
  readonly resolver: string
  /** Outside the folder, so that the lock outlives a rename or a removal that other commands wait for. */
  readonly lock: string
}

/** An environment whose record was read. */
export type Environment = {
  readonly name: EnvironmentName
  readonly files: EnvironmentFiles
  readonly record: EnvironmentRecord
}

/** Returns the paths of an environment, which need not exist. */
export function environmentFiles(paths: Paths, name: EnvironmentName): EnvironmentFiles {
  const folder = join(paths.environments, name)
  return {...filesIn(folder), lock: join(paths.locks, `${name}.lock`)}
}

/** Returns the paths in the folder of an environment, also while it has another name. */
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

/** Makes the folders and the record of the store. Mode 0700: other users must not reach the setuid files of this user in the trees. */
export async function makeStore(paths: Paths): Promise<void> {
  for (const folder of [paths.environments, paths.locks]) await makeFolders(folder, {mode: 0o700})
  checkStoreFormat(paths)
  await noteStoreFormat(paths)
  keepReserve(paths)
}

/**
 * Publishes a folder as an environment, or renames an environment, by one rename(2). Call {@link syncNames} afterwards to make
 * the rename survive a power cut.
 *
 * @throws {@link storeFolderTakenError} When the target exists and is not an environment. After any error nothing was moved.
 */
export function moveIntoPlace(from: string, {folder}: Pick<EnvironmentFiles, 'folder'>): void {
  try {
    renameSync(from, folder)
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw storeFolderTakenError({folder})
    throw error
  }
}

/** Syncs the folder of environments, so that their present names survive a power cut. */
export async function syncNames(paths: Pick<Paths, 'environments'>): Promise<void> {
  await syncFolder(paths.environments)
}

/**
 * Lists folders with the name of an environment, sorted; does not read their records.
 *
 * @throws {@link storeNewerError}
 */
export async function listNames(paths: Paths): Promise<EnvironmentName[]> {
  checkStoreFormat(paths)
  return foldersOf(paths.environments).filter(isEnvironmentName).sort()
}

/** A removed environment that can still be recovered. */
export type RemovedEnvironment = {
  readonly name: EnvironmentName
  readonly identity: 'mapped' | 'emulated'
  readonly removedAt: Date
  /** The time that the user was promised; the next command that changes something deletes the files after it. */
  readonly keptUntil: Date
  readonly folder: string
}

/** Times are milliseconds since 1970, in 13 digits. The name has all that its deletion needs: a record may be damaged. */
const REMOVED_FORM =
  /^\.trash\.(?<identity>mapped|emulated)\.(?<removed>\d{13})-(?<until>\d{13})\.(?<name>.+)$/

/** Returns a free path for an environment that is removed. The caller holds the lock of the name. */
export function removedFolder(
  paths: Pick<Paths, 'environments'>,
  {
    identity,
    name,
    removedAt,
    keptForMs,
  }: Pick<RemovedEnvironment, 'identity' | 'name' | 'removedAt'> & {
    readonly keptForMs: number
  },
): Pick<RemovedEnvironment, 'folder' | 'keptUntil'> {
  for (let time = removedAt.getTime(); ; time++) {
    const until = Math.min(time + keptForMs, LAST_TIME)
    const folder = join(paths.environments, `.trash.${identity}.${digits(time)}-${digits(until)}.${name}`)
    if (!existsSync(folder)) return {folder, keptUntil: new Date(until)}
  }
}

/** The last time of 13 digits, in the year 2286. */
const LAST_TIME = 9_999_999_999_999

function digits(time: number): string {
  return String(time).padStart(13, '0')
}

/** Returns whether an entry of the folder of environments is a removed one that can be recovered. */
export function isRemovedEntry(paths: Pick<Paths, 'environments'>, entry: string): boolean {
  return parseRemoved(paths, entry) !== undefined
}

/** Lists the removed environments that can be recovered, the last removed first. */
export function listRemoved(paths: Pick<Paths, 'environments'>): RemovedEnvironment[] {
  return foldersOf(paths.environments)
    .flatMap((entry) => parseRemoved(paths, entry) ?? [])
    .sort((a, b) => b.removedAt.getTime() - a.removedAt.getTime() || (a.name < b.name ? -1 : 1))
}

/** Returns a removed environment with its record; undefined when the record can't be read, or when the environment is gone. */
export async function findRemoved(
  paths: Paths,
  {name, folder}: Pick<RemovedEnvironment, 'name' | 'folder'>,
): Promise<Environment | undefined> {
  const files = {...filesIn(folder), lock: environmentFiles(paths, name).lock}
  try {
    const record = await readRecord(files.record)
    return record === undefined ? undefined : {name, files, record}
  } catch (error) {
    if (!(error instanceof RecordUnreadableError)) throw error
    return undefined
  }
}

function parseRemoved(
  {environments}: Pick<Paths, 'environments'>,
  entry: string,
): RemovedEnvironment | undefined {
  const {identity, removed, until, name} = REMOVED_FORM.exec(entry)?.groups ?? {}
  if (identity !== 'mapped' && identity !== 'emulated') return undefined
  if (name === undefined || !isEnvironmentName(name)) return undefined
  return {
    name,
    identity,
    removedAt: new Date(Number(removed)),
    keptUntil: new Date(Number(until)),
    folder: join(environments, entry),
  }
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
 * Returns the environment of that name, after {@link repairRunFolder} repaired its run-time folder.
 *
 * @throws {EnvironmentNotFoundError} @throws {RecordUnreadableError} @throws {UsageError} @throws {@link storeNewerError}
 */
export async function findEnvironment(paths: Paths, text: string): Promise<Environment> {
  checkStoreFormat(paths)
  return openEnvironment(paths, text)
}

/** As {@link findEnvironment}, for a caller that has listed the names: listing them checks the form of the store. */
export async function openEnvironment(paths: Paths, text: string): Promise<Environment> {
  const name = parseEnvironmentName(text)
  const files = environmentFiles(paths, name)
  repairRunFolder(files)
  const record = await readRecord(files.record)
  if (record === undefined) throw await explainMissing(paths, name)
  return {name, files, record}
}

async function explainMissing(paths: Paths, name: EnvironmentName): Promise<EnvironmentNotFoundError> {
  if (listRemoved(paths).some((removed) => removed.name === name))
    return environmentNotFoundError(
      {name},
      {suggestions: [`It was removed. To get it back: envs recover ${name}`]},
    )
  return environmentNotFoundError({name}, orNearest(nearestNames(name, await listNames(paths))))
}

/** As {@link findEnvironment}; undefined when the environment was removed or its record can't be read. @throws {UsageError} */
export async function findWholeEnvironment(paths: Paths, text: string): Promise<Environment | undefined> {
  return findEnvironment(paths, text).catch((error: unknown) => {
    if (error instanceof RecordUnreadableError || error instanceof EnvironmentNotFoundError) return undefined
    throw error
  })
}

/**
 * Returns the environment of that name; without a name, the only environment, not counting those of `envs try`.
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

/** A checked name: safe as a file name, a hostname and a word on a command line. */
export type EnvironmentName = string & {readonly __brand: 'EnvironmentName'}

/** A dot or dash can't come first, so that no name is a hidden file, `..`, or an option. */
const NAME_FORM = /^[a-z0-9][a-z0-9_.-]{0,62}$/

export function isEnvironmentName(text: string): text is EnvironmentName {
  return NAME_FORM.test(text)
}

/** Returns whether `envs try` could have chosen the name. The mark of a try counts only under such a name. */
export function isTryName(name: EnvironmentName): boolean {
  return /^try-[1-9]\d{0,5}$/.test(name)
}

/** Checks the name of an environment. @throws {UsageError} */
export function parseEnvironmentName(text: string): EnvironmentName {
  if (isEnvironmentName(text)) return text
  throw new UsageError(`"${text}" is not a valid name for an environment.`, [
    'Use 1 to 63 characters of a-z, 0-9, dot, dash and underscore; begin with a letter or a digit.',
  ])
}

/** The form of each entry that envs makes in a run-time folder. envs reads no other entries. */
const ENTRY_FORMS: readonly (readonly [RegExp, EntryForm])[] = [
  [/^(?:anchor|history)\.lock$/, 'lock'],
  [/^(?:hold|alive|looks)$/, 'fifo'],
  [/^(?:anchor\.json|join|memory\..*)$/, 'record'],
  [/^(?:resolver|merged|proot|shell)$/, 'folder'],
]

type EntryForm = 'lock' | 'fifo' | 'record' | 'folder'

/** The plan to join is the largest record: it has the user's variables. See MAX_PLAN_BYTES of templates/host/join.pl. */
const MOST_RECORD_BYTES = 2 ** 20

/**
 * Repairs modes and types of entries in the run-time folder, and the environment's lock. Up to version 0.1 a guest's root reached
 * these files through descriptors of the first process, and could change their modes, owners and sizes. Entries that can't be
 * repaired are removed, and made again by the next command that needs them.
 *
 * Leaves a held lock and an open FIFO unchanged. Never throws for the state of a file: the command that needs it reports it.
 */
export function repairRunFolder({run, lock}: {readonly run: string; readonly lock: string}): void {
  repairEntry(lock, 'lock')
  const status = lstatSync(run, {throwIfNoEntry: false})
  if (status === undefined) return
  unlessErrno(() => {
    if (!status.isDirectory() || !isOwn(status)) {
      moveAside(run, status)
      return
    }
    if ((status.mode & 0o700) !== 0o700) chmodSync(run, 0o700)
    for (const name of readdirSync(run)) {
      const form = ENTRY_FORMS.find(([names]) => names.test(name))?.[1]
      if (form !== undefined) repairEntry(join(run, name), form)
    }
  })
}

function repairEntry(path: string, form: EntryForm): void {
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

function hasForm(status: Stats, form: EntryForm): boolean {
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

/** Returns whether a process uses the file, without opening it: its mode or owner may forbid that. */
function isHeld(path: string, {ino}: Stats): boolean {
  const isListed = readFileSync('/proc/locks', 'latin1').includes(`:${ino} `)
  // In a container, /proc/locks omits locks whose process has ended, as flock(1) does.
  return isListed || isOpenSomewhere(path)
}

/** Removes a file. Renames a folder first: files of other owners in it may have to wait until the environment is removed. */
function moveAside(path: string, status: Stats): void {
  if (!status.isDirectory()) {
    rmSync(path)
    return
  }
  const aside = `${path}.spoiled-${randomBytes(4).toString('hex')}`
  renameSync(path, aside)
  rmSync(aside, {recursive: true, force: true})
}

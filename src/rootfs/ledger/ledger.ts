import {closeSync, constants, fstatSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import * as v from 'valibot'
import {unlessErrno} from '../../host/errno.js'
import {
  numberField,
  oneOfField,
  parseIfValid,
  parseRecordText,
  type RecordFormat,
  type RecordOf,
  recordText,
  unreadableBy,
} from '../../host/records.js'
import {ledgerUnreadableError} from '../errors.js'
import type {Member} from '../tar/member.js'
import type {Owners} from '../tree/owners.js'

/** Counts of metadata that a tree lacks. */
export type LedgerCounts = {
  /** Files with another owner than in the image. */
  readonly owners: number
  readonly capabilities: number
  readonly devices: number
  /** Entries that were left out because there are too many. */
  readonly dropped: number
}

/** The entries of one tree by path; the last one of a path counts. */
export type Ledger = {
  note(entry: LedgerEntry): void
  get(path: string): LedgerEntry | undefined
  /** To be called when the entry at the path is removed. */
  forget(path: string): void
  /** To be called when all that is in a folder is removed. */
  forgetIn(folder: string): void
  /** Moves all entries in a folder to the root. */
  lift(folder: string): void
  counts(): LedgerCounts
  /** Returns the text of the file; its first line has the number of entries. */
  format(): string
}

/** Limit for memory and for `doctor`; real images have hundreds. */
const MOST_ENTRIES = 100_000
const MOST_LEDGER_BYTES = 16 * 2 ** 20
/** Approximate size of an entry without its path. */
const ENTRY_BYTES = 160

/** @param below - Of the layers below, whose entries hold as long as nothing replaces their files. */
export function openLedger(
  below: {readonly entries: readonly LedgerEntry[]; readonly dropped: number} = {entries: [], dropped: 0},
): Ledger {
  let entries = new Map(below.entries.map((entry) => [entry.path, entry] as const))
  let bytes = below.entries.reduce((sum, {path}) => sum + sizeOf(path), 0)
  let {dropped} = below

  function forget(path: string): void {
    if (entries.size > 0 && entries.delete(path)) bytes -= sizeOf(path)
  }

  return {
    note(entry) {
      forget(entry.path)
      if (entries.size >= MOST_ENTRIES || bytes + sizeOf(entry.path) > MOST_LEDGER_BYTES) {
        dropped++
        return
      }
      entries.set(entry.path, entry)
      bytes += sizeOf(entry.path)
    },
    get: (path) => entries.get(path),
    forget,
    forgetIn(folder) {
      const prefix = folder === '' ? '' : `${folder}/`
      for (const path of [...entries.keys()]) if (path.startsWith(prefix)) forget(path)
    },
    lift(folder) {
      const prefix = `${folder}/`
      const below = [...entries.values()].filter(({path}) => path.startsWith(prefix))
      entries = new Map(
        below
          .map((entry) => ({...entry, path: entry.path.slice(prefix.length)}))
          .map((entry) => [entry.path, entry]),
      )
    },
    counts: () => ({...countLosses(entries.values()), dropped}),
    format: () => formatLedger(entries.values(), dropped),
  }
}

/** A byte of a path takes up to six characters as JSON; a byte of a real path takes one. */
function sizeOf(path: string): number {
  return path.length + ENTRY_BYTES
}

function countLosses(entries: Iterable<LedgerEntry>): Omit<LedgerCounts, 'dropped'> {
  const counts = {owners: 0, capabilities: 0, devices: 0}
  for (const {lost} of entries) {
    if (lost.includes('owner')) counts.owners++
    if (lost.includes('capability')) counts.capabilities++
    if (lost.includes('device')) counts.devices++
  }
  return counts
}

function formatLedger(entries: Iterable<LedgerEntry>, dropped: number): string {
  const lines = [...entries].map((entry) => `${formatEntry(entry)}\n`)
  return `${recordText({dropped}, LEDGER_HEAD_FORMAT)}${lines.join('')}`
}

/** Metadata of the image that the tree could not get. */
export type Loss = 'owner' | 'capability' | 'device'

/** A line of a ledger. */
export const ledgerEntrySchema = v.object({
  /**
   * Real path relative to the root, with links on the way resolved: a byte string (latin1, one character a
   * byte).
   */
  path: v.string(),
  kind: oneOfField(['file', 'folder', 'symlink', 'fifo', 'device']),
  /** The intended owner. */
  uid: numberField,
  gid: numberField,
  /** Octal in the file. */
  mode: v.pipe(
    v.string(),
    v.regex(/^[0-7]{1,12}$/),
    v.transform((octal) => Number.parseInt(octal, 8)),
  ),
  /**
   * `security.capability`, in base64; recorded even if the tree has it, because a change of owner removes it.
   */
  capability: v.exactOptional(v.string()),
  device: v.exactOptional(
    v.object({type: oneOfField(['char', 'block']), major: numberField, minor: numberField}),
  ),
  lost: v.array(oneOfField<Loss>(['owner', 'capability', 'device'])),
})

/** A file of a tree that lacks the owner, capability or device node of the archive. */
export type LedgerEntry = RecordOf<typeof ledgerEntrySchema>

export type LedgerKind = LedgerEntry['kind']

/** Formats one line of a journal, without its end. */
export function formatEntry({mode, ...entry}: LedgerEntry): string {
  return JSON.stringify({...entry, mode: mode.toString(8).padStart(4, '0')})
}

/** The metadata journal of a tree. */
export type LedgerRecord = {
  readonly entries: readonly LedgerEntry[]
  /** Entries that were left out because there were too many. */
  readonly dropped: number
}

/** The first line. */
const ledgerHeadSchema = v.object({dropped: numberField})

const LEDGER_HEAD_FORMAT: RecordFormat<typeof ledgerHeadSchema> = {
  schema: ledgerHeadSchema,
  maxBytes: 4096,
  indent: 0,
  unreadable: unreadableBy(ledgerUnreadableError),
}

const {O_RDONLY, O_NOFOLLOW} = constants
/** Paths of control characters, which take six characters of JSON each, are the longest. */
const MOST_FILE_BYTES = 6 * MOST_LEDGER_BYTES

/**
 * Writes the ledger to a file outside of the tree, which the guest can't reach.
 *
 * @param options.replaces - Whether the file exists: the ledger of the layers below, which this one continues.
 * @throws {NodeJS.ErrnoException}
 */
export function writeLedger(path: string, ledger: Ledger, {replaces = false} = {}): void {
  if (replaces) rmSync(path, {force: true})
  writeFileSync(path, ledger.format(), {flag: 'wx', mode: 0o600})
}

/**
 * Reads a journal; a missing one is empty, as for environments of older versions.
 *
 * @throws {@link ledgerUnreadableError} Naming the line.
 * @throws {NodeJS.ErrnoException}
 */
export function readLedger(path: string): LedgerRecord {
  const text = readBounded(path)
  if (text === undefined) return {entries: [], dropped: 0}
  const [head = '', ...lines] = text.trimEnd().split('\n')
  const {dropped} = parseRecordText(head, path, LEDGER_HEAD_FORMAT)
  return {dropped, entries: lines.map((line, index) => parseLine(line, {path, number: index + 2}))}
}

function readBounded(path: string): string | undefined {
  const fd = unlessErrno(() => openSync(path, O_RDONLY | O_NOFOLLOW), 'ENOENT')
  if (fd === undefined) return undefined
  try {
    if (fstatSync(fd).size > MOST_FILE_BYTES)
      throw ledgerUnreadableError({path, reason: `it is over ${MOST_FILE_BYTES} bytes`})
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

function parseLine(line: string, {path, number}: {path: string; number: number}): LedgerEntry {
  const entry = parseIfValid(line, ledgerEntrySchema)
  if (entry === undefined) throw ledgerUnreadableError({path, reason: `line ${number} is not an entry`})
  return entry
}

/** Callbacks for members of an archive, called as they are written. */
export type MemberNotes = {
  /** A member was written; `lacks` is missing metadata, besides the owner. */
  written(path: string, member: Exclude<Member, {kind: 'hardlink'}>, lacks?: Loss): void
  /** A hard link was made, which may outlive the first name. */
  linked(path: string, target: string): void
  /** The entry at the path was removed. */
  gone(path: string): void
}

/** Records missing metadata of members in the journal. */
export function openMemberNotes(ledger: Ledger, owners: Owners): MemberNotes {
  return {
    written(path, member, lacks) {
      const losesOwner = owners.loses(member)
      if (!losesOwner && lacks === undefined) return
      const lost: Loss[] = losesOwner ? ['owner'] : []
      if (lacks !== undefined) lost.push(lacks)
      ledger.note({...entryOf(path, member), lost})
    },
    linked(path, target) {
      ledger.forget(path)
      const entry = ledger.get(target)
      if (entry !== undefined) ledger.note({...entry, path})
    },
    gone: ledger.forget,
  }
}

function entryOf(path: string, member: Exclude<Member, {kind: 'hardlink'}>): Omit<LedgerEntry, 'lost'> {
  const {kind, uid, gid, mode} = member
  const entry = {path, kind, uid, gid, mode}
  if (kind === 'device') return {...entry, device: member.device}
  if (kind !== 'file' || member.capability === undefined) return entry
  return {...entry, capability: member.capability.toString('base64')}
}

import {closeSync, constants, fstatSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import * as v from 'valibot'
import {unlessErrno} from '../../host/errno.js'
import {
  numberField,
  parseIfValid,
  parseRecordText,
  type RecordFormat,
  recordCircumstances,
} from '../../host/records.js'
import {ledgerUnreadableError} from '../errors.js'
import {type LedgerEntry, ledgerEntrySchema} from './entry.js'
import {LEDGER_SCHEMA_VERSION, type Ledger, MOST_LEDGER_BYTES} from './ledger.js'

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
  version: LEDGER_SCHEMA_VERSION,
  migrations: [],
  maxBytes: 4096,
  indent: 0,
  unreadable: (path, problem) =>
    ledgerUnreadableError({path, reason: problem.why}, recordCircumstances(problem)),
}

const {O_RDONLY, O_NOFOLLOW} = constants
/** Paths of control characters, which take six characters of JSON each, are the longest. */
const MOST_FILE_BYTES = 6 * MOST_LEDGER_BYTES

/**
 * Writes a file beside a tree; nothing that the guest can reach.
 *
 * @param options.replaces - Whether it goes on with the ledger of the layers below, which lies there.
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

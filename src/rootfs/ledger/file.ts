import {closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {LedgerUnreadableError} from '../errors.js'
import {fieldsOf} from '../worker-fields.js'
import {type LedgerEntry, parseEntry} from './entry.js'
import {LEDGER_SCHEMA_VERSION, type Ledger, MOST_LEDGER_BYTES} from './ledger.js'

/** The metadata journal of a tree. */
export type LedgerRecord = {
  readonly entries: readonly LedgerEntry[]
  /** Entries that were left out because there were too many. */
  readonly dropped: number
}

const {O_RDONLY, O_NOFOLLOW} = constants
/** Paths of control characters, which take six characters of JSON each, are the longest. */
const MOST_FILE_BYTES = 6 * MOST_LEDGER_BYTES

/** Writes a new file next to a tree, where the guest can't reach it. @throws {NodeJS.ErrnoException} */
export function writeLedger(path: string, ledger: Ledger): void {
  writeFileSync(path, ledger.format(), {flag: 'wx', mode: 0o600})
}

/**
 * Reads a journal; a missing one is empty, as for environments of older versions.
 *
 * @throws {LedgerUnreadableError} With the line.
 * @throws {NodeJS.ErrnoException}
 */
export function readLedger(path: string): LedgerRecord {
  const text = readBounded(path)
  if (text === undefined) return {entries: [], dropped: 0}
  const [head = '', ...lines] = text.trimEnd().split('\n')
  try {
    return {dropped: parseHead(head), entries: lines.map((line, index) => parseLine(line, index + 2))}
  } catch (error) {
    if (error instanceof Error) throw new LedgerUnreadableError(path, error)
    throw error
  }
}

function readBounded(path: string): string | undefined {
  let fd: number
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    if (fstatSync(fd).size > MOST_FILE_BYTES)
      throw new LedgerUnreadableError(path, new Error(`it is over ${MOST_FILE_BYTES} bytes`))
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

function parseHead(line: string): number {
  const fields = fieldsOf(parseJson(line))
  const version = fields.number('schemaVersion')
  if (version !== LEDGER_SCHEMA_VERSION) throw new Error(`its schemaVersion is ${version}`)
  return fields.number('dropped')
}

function parseLine(line: string, number: number): LedgerEntry {
  try {
    return parseEntry(line)
  } catch (error) {
    throw new Error(`its line ${number} is no entry`, {cause: error})
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new Error('its first line is not JSON', {cause: error})
  }
}

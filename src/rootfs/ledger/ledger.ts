import {formatEntry, type LedgerEntry} from './entry.js'

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
  /** Moves all entries in a folder to the root. */
  lift(folder: string): void
  counts(): LedgerCounts
  /** Returns the text of the file; its first line has the number of entries. */
  format(): string
}

/** Limit for memory and for `doctor`; real images have hundreds. */
const MOST_ENTRIES = 100_000
export const MOST_LEDGER_BYTES = 16 * 2 ** 20
/** Approximate size of an entry without its path. */
const ENTRY_BYTES = 160

export const LEDGER_SCHEMA_VERSION = 1

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
  const lines = [JSON.stringify({schemaVersion: LEDGER_SCHEMA_VERSION, dropped})]
  for (const entry of entries) lines.push(formatEntry(entry))
  return `${lines.join('\n')}\n`
}

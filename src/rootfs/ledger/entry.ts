import * as v from 'valibot'
import {numberField, oneOfField, type RecordOf} from '../../host/records.js'

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

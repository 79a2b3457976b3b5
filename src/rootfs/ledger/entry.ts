import * as v from 'valibot'
import {numberField, oneOfField, type RecordOf} from '../../host/records.js'

/** What the image gave a file, and the tree could not. */
export type Loss = 'owner' | 'capability' | 'device'

/** A line of a ledger. */
export const ledgerEntrySchema = v.object({
  /** Where it lies below the root, links on the way resolved: a byte string (latin1, one character a byte). */
  path: v.string(),
  kind: oneOfField(['file', 'folder', 'symlink', 'fifo', 'device']),
  /** The owner that it was to have. */
  uid: numberField,
  gid: numberField,
  /** Octal in the file. */
  mode: v.pipe(
    v.string(),
    v.regex(/^[0-7]{1,12}$/),
    v.transform((octal) => Number.parseInt(octal, 8)),
  ),
  /** `security.capability`, in base64; also where the tree has it, for a change of owner takes it away. */
  capability: v.exactOptional(v.string()),
  device: v.exactOptional(
    v.object({type: oneOfField(['char', 'block']), major: numberField, minor: numberField}),
  ),
  lost: v.array(oneOfField<Loss>(['owner', 'capability', 'device'])),
})

/** A file of a tree whose owner, capability or device node the archive has and the tree has not. */
export type LedgerEntry = RecordOf<typeof ledgerEntrySchema>

export type LedgerKind = LedgerEntry['kind']

/** One line of a ledger, without its end. */
export function formatEntry({mode, ...entry}: LedgerEntry): string {
  return JSON.stringify({...entry, mode: mode.toString(8).padStart(4, '0')})
}

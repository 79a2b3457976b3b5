import type {Sha256} from '../host/digest.js'
import type {OwnFile} from './comparison/own-files.js'
import type {TreeDifference} from './comparison/report.js'
import type {AddedFile} from './debs/added-file.js'
import type {UnpackDebsReport} from './debs/unpack-debs.js'
import type {ExportReport} from './export/export-tree.js'
import type {ExtractReport} from './extract.js'
import type {Facts} from './fixes/fix.js'
import type {PlannedFile} from './fixes/planned-files.js'
import type {PackReport} from './image/pack-tree.js'
import type {LedgerCounts} from './ledger/ledger.js'
import type {RestoreReport} from './ledger/restore.js'
import type {Usage} from './measure.js'
import type {RemoveReport} from './remove.js'
import type {OwnerRule} from './tree/owners.js'
import type {TreeNote} from './tree-notes.js'

/**
 * What the worker is asked, by verb: one JSON argument after it. Command and worker are one build, which the worker checks
 * before all else, so neither looks at the fields.
 */
export type WorkerRequests = {
  readonly extract: {
    readonly root: string
    readonly owners: OwnerRule
    /** Where what the tree lacks is written down. */
    readonly ledger?: string
  }
  readonly fix: {readonly root: string; readonly facts: Facts; readonly only?: readonly string[]}
  readonly settle: SettleRequest
  readonly 'restore-owners': LedgerRequest
  readonly 'record-owners': LedgerRequest
  readonly export: ExportRequest
  readonly unpack: UnpackRequest
  readonly pack: PackRequest
  readonly compare: CompareRequest
  readonly remove: {readonly path: string}
  readonly measure: {readonly paths: readonly string[]}
}

/** What the worker answers, by verb. */
export type WorkerResults = {
  readonly extract: ExtractReport
  readonly fix: FixReport
  readonly settle: SettleReport
  readonly 'restore-owners': RestoreReport
  readonly 'record-owners': LedgerCounts
  readonly export: ExportReport
  readonly unpack: UnpackDebsReport
  readonly pack: PackedImage
  readonly compare: TreeDifference
  readonly remove: RemoveReport
  readonly measure: readonly Usage[]
}

export type WorkerVerb = keyof WorkerRequests

/** What fixing a tree gave. */
export type FixReport = {
  /** Names of the fixes that changed something. */
  readonly changed: readonly string[]
  readonly notes: readonly TreeNote[]
}

/** What settling a tree gave. */
export type SettleReport = {
  readonly notes: readonly TreeNote[]
  readonly planned: readonly PlannedFile[]
}

export type PackedImage = PackReport & {readonly sha256: Sha256; readonly sizeBytes: number}

/** To fix a new tree, plan what is not to be written into it, and measure what it takes then. */
export type SettleRequest = {
  readonly root: string
  readonly facts: Facts
  /** Names of the fixes; all of them where it is left out. */
  readonly only?: readonly string[]
  /** Names of fixes whose files are planned, and not written. */
  readonly planned: readonly string[]
}

/** To make the ledger `to` of a tree's copy from its own, `from`. */
export type LedgerRequest = {readonly root: string; readonly from: string; readonly to: string}

/** To write a tree as an archive to descriptor 3. */
export type ExportRequest = {
  readonly root: string
  /** The tree's own; may be missing. */
  readonly ledger: string
  readonly owners: OwnerRule
  /** What the archive says of itself. */
  readonly comment: string
}

/** To unpack packages into an empty folder; their names and files come as lines of JSON on standard input. */
export type UnpackRequest = {
  readonly root: string
  readonly owners: OwnerRule
  /** Where what the tree lacks is written down: a new file. */
  readonly ledger: string
  /** Links at the top, to folders of the same name in usr. */
  readonly links: readonly string[]
  /** Beside those of the packages. */
  readonly files: readonly AddedFile[]
  /** Seconds since 1970: the time of what no package brings. */
  readonly modified: string
}

/** To make a new tree an image: an archive that is the same whoever makes it. */
export type PackRequest = {
  readonly root: string
  readonly owners: OwnerRule
  /** The tree's own. */
  readonly ledger: string
  /** Seconds since 1970; nothing in the image is younger. */
  readonly latest: number
  /** A new file. */
  readonly archive: string
}

/** To tell in what two trees differ. */
export type CompareRequest = {
  /** Folders that a tree is stacked of, the uppermost first. */
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly own: readonly OwnFile[]
  readonly isSinceImage: boolean
  readonly ownersCount: boolean
  readonly listsAll: boolean
}

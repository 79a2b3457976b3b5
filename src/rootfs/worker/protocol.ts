import type {ErrorCode} from '../../errors.js'
import type {Sha256} from '../../host/digest.js'
import type {AddedFile} from '../debs/added-file.js'
import type {UnpackDebsReport} from '../debs/unpack.js'
import type {OwnFile} from '../diff/packages.js'
import type {TreeDifference} from '../diff/report.js'
import type {ExportReport} from '../export/export.js'
import type {PackReport} from '../export/pack-image.js'
import type {ExtractReport} from '../extract.js'
import type {PlannedFile} from '../fixes/edits.js'
import type {Facts} from '../fixes/fix.js'
import type {LayerReport} from '../layer/extract.js'
import type {StoredLayerFiles} from '../layer/merge.js'
import type {LayerKind, PersonalFiles} from '../layer/own-entries.js'
import type {PackLayerReport} from '../layer/pack.js'
import type {LedgerCounts} from '../ledger/ledger.js'
import type {RestoreReport} from '../ledger/owners.js'
import type {Usage} from '../measure.js'
import type {RemoveReport} from '../remove.js'
import type {OwnerRule} from '../tree/owners.js'
import type {TreeNote} from '../tree-notes.js'

/**
 * Requests to the worker, by verb: one JSON argument after the verb. Neither side validates the fields, because both are of one
 * build, which the worker checks first.
 */
export type WorkerRequests = {
  readonly extract: {
    readonly root: string
    readonly owners: OwnerRule
    /** Path of the metadata journal. */
    readonly ledger?: string
  }
  readonly 'extract-layer': ExtractLayerRequest
  readonly 'merge-layers': MergeRequest
  readonly fix: {readonly root: string; readonly facts: Facts; readonly only?: readonly string[]}
  readonly settle: SettleRequest
  readonly 'restore-owners': LedgerRequest
  readonly 'record-owners': LedgerRequest
  readonly export: ExportRequest
  readonly unpack: UnpackRequest
  readonly pack: PackRequest
  readonly 'pack-layer': PackLayerRequest
  readonly compare: CompareRequest
  readonly remove: {readonly path: string}
  /** `isOnce`: a file with hard links in several of the trees counts for the first of them alone. */
  readonly measure: {readonly paths: readonly string[]; readonly isOnce: boolean}
}

export type ExtractLayerRequest = StoredLayerFiles & {
  readonly owners: OwnerRule
  /** Path of a file that has the bytes, and may still grow: then standard input tells of its growth. */
  readonly part?: string | undefined
}

/** Results of the worker, by verb. */
export type WorkerResults = {
  readonly extract: ExtractReport
  readonly 'extract-layer': LayerReport
  readonly 'merge-layers': LedgerCounts
  readonly fix: FixReport
  readonly settle: SettleReport
  readonly 'restore-owners': RestoreReport
  readonly 'record-owners': LedgerCounts
  readonly export: ExportReport
  readonly unpack: UnpackDebsReport
  readonly pack: PackedImage
  readonly 'pack-layer': PackLayerReport
  readonly compare: TreeDifference
  readonly remove: RemoveReport
  readonly measure: readonly Usage[]
}

export type WorkerVerb = keyof WorkerRequests

/** Result of fixing a tree. */
export type FixReport = {
  /** Names of the fixes that changed something. */
  readonly changed: readonly string[]
  readonly notes: readonly TreeNote[]
}

/** Result of preparing a tree. */
export type SettleReport = {
  readonly notes: readonly TreeNote[]
  readonly planned: readonly PlannedFile[]
}

export type PackedImage = PackReport & {readonly sha256: Sha256; readonly sizeBytes: number}

/** Fixes a new tree, plans files that are not written to it, and measures the result. */
export type SettleRequest = {
  readonly root: string
  readonly facts: Facts
  /** Names of the fixes; all if left out. */
  readonly only?: readonly string[]
  /** Names of fixes whose files are planned, not written. */
  readonly planned: readonly string[]
}

/** Merges stored layers of an image, from the lowest to the highest, into an empty folder. */
export type MergeRequest = {
  readonly layers: readonly StoredLayerFiles[]
  readonly root: string
  /** The ledger of the merged tree: a new file. */
  readonly ledger: string
  /** Folder in which programs of the image start: made where no layer has it. */
  readonly workingFolder?: string | undefined
  readonly owners: OwnerRule
}

/** Makes the metadata journal `to` of a tree's copy from the original's, `from`. */
export type LedgerRequest = {readonly root: string; readonly from: string; readonly to: string}

/** Writes a tree as an archive to descriptor 3. */
export type ExportRequest = {
  readonly root: string
  /** The tree's journal; may be missing. */
  readonly ledger: string
  readonly owners: OwnerRule
  /** The comment in the archive. */
  readonly comment: string
}

/** Unpacks packages into an empty folder; their names and files are lines of JSON on standard input. */
export type UnpackRequest = {
  readonly root: string
  readonly owners: OwnerRule
  /** Path of the metadata journal: a new file. */
  readonly ledger: string
  /** Links in the root, to folders of the same name in usr. */
  readonly links: readonly string[]
  /** In addition to those of the packages. */
  readonly files: readonly AddedFile[]
  /** Seconds since 1970: the time of files that belong to no package. */
  readonly modified: string
}

/** Makes an image from a new tree: a reproducible archive. */
export type PackRequest = {
  readonly root: string
  readonly owners: OwnerRule
  /** The tree's journal. */
  readonly ledger: string
  /** Seconds since 1970; no file of the image is newer. */
  readonly latest: number
  /** A new file. */
  readonly archive: string
}

/** Writes a tree as a layer of a container image to descriptor 3. */
export type PackLayerRequest = {
  readonly root: string
  readonly kind: LayerKind
  /** The folders of the layers below, the uppermost first. */
  readonly below: readonly string[]
  /** The tree's journal; may be missing. */
  readonly ledger: string
  readonly owners: OwnerRule
  readonly personal: PersonalFiles
  /** Seconds since 1970; no entry has a later time. */
  readonly latest?: number
}

/** Compares two trees. */
export type CompareRequest = {
  /** Folders of the layers of a tree, the uppermost first. */
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly own: readonly OwnFile[]
  readonly isSinceImage: boolean
  readonly ownersCount: boolean
  readonly listsAll: boolean
}

/** An answer of the worker, one JSON object a line: that it started, any number of progress events, then one of the others. */
export type WorkerEvent =
  | {readonly event: 'started'}
  | {readonly event: 'progress'; readonly entries: number; readonly bytes: number}
  | {readonly event: 'result'; readonly value: unknown}
  | {
      readonly event: 'error'
      /** Left out for a bug. */
      readonly code?: ErrorCode
      readonly exitCode: number
      readonly message: string
      readonly suggestions: readonly string[]
    }

import type {GroupChange, UserChange} from './accounts.js'
import type {Aspect, EntryKind} from './entry.js'
import type {LeftOutGroup} from './file-group.js'
import type {PackageChanges} from './packages.js'
import type {PrivilegedFile} from './privileged.js'
import type {ServiceChange} from './services.js'

/** A file that is not the same at two points. Paths, as all texts of a report, are the guest's word. */
export type FileChange = {
  /** From the guest's root on. */
  readonly path: string
  readonly change: 'added' | 'changed' | 'removed'
  /** As it is afterwards; of one that was removed, as it was. */
  readonly kind: EntryKind
  /** In what it changed. */
  readonly changed: readonly Aspect[]
  /** The package that has it. */
  readonly package: string | null
  readonly group: 'conffile' | 'other' | LeftOutGroup
  /** How much larger it became. */
  readonly sizeBytes: number
}

/** Files that are told of in another way, or matter to nobody. */
export type LeftOut = {readonly group: LeftOutGroup; readonly files: number; readonly sizeBytes: number}

/** In what two trees differ. */
export type TreeDifference = {
  /** Null where dpkg has no list at either point. */
  readonly packages: PackageChanges | null
  /** Settings of packages that somebody changed. */
  readonly conffiles: readonly FileChange[]
  /** Files that belong to no package, or to one that is the same at both points; all others too where they were asked for. */
  readonly files: readonly FileChange[]
  readonly users: readonly UserChange[]
  readonly groups: readonly GroupChange[]
  readonly services: readonly ServiceChange[]
  readonly privileged: readonly (PrivilegedFile & {readonly package: string | null})[]
  /** What is left out of `files` unless all were asked for. */
  readonly leftOut: readonly LeftOut[]
  /** How much larger the files became, all of them. */
  readonly sizeBytes: number
  /** Folders and files that could not be looked into. */
  readonly unreadable: number
  /** Files that differ and are told of nowhere, for there are too many. */
  readonly dropped: number
}

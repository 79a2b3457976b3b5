import type {GroupChange, UserChange} from './accounts.js'
import type {Aspect, EntryKind} from './entry.js'
import type {LeftOutGroup} from './file-group.js'
import type {PackageChanges} from './packages.js'
import type {PrivilegedFile} from './privileged.js'
import type {ServiceChange} from './services.js'

/**
 * A file that differs between two points. Do not trust paths and other texts of a report: they come from the
 * guest.
 */
export type FileChange = {
  /** Absolute in the guest. */
  readonly path: string
  readonly change: 'added' | 'changed' | 'removed'
  /** Kind afterwards; before, for a removed file. */
  readonly kind: EntryKind
  /** Its differences. */
  readonly changed: readonly Aspect[]
  /** The package that owns it. */
  readonly package: string | null
  readonly group: 'conffile' | 'other' | LeftOutGroup
  /** Growth in bytes. */
  readonly sizeBytes: number
}

/** Files that are reported elsewhere, or are unimportant. */
export type LeftOut = {readonly group: LeftOutGroup; readonly files: number; readonly sizeBytes: number}

/** The differences of two trees. */
export type TreeDifference = {
  /** Null if dpkg has no list at either point. */
  readonly packages: PackageChanges | null
  /** Changed conffiles. */
  readonly conffiles: readonly FileChange[]
  /**
   * Files of no package, or of a package that is the same at both points; all other files too if requested.
   */
  readonly files: readonly FileChange[]
  readonly users: readonly UserChange[]
  readonly groups: readonly GroupChange[]
  readonly services: readonly ServiceChange[]
  readonly privileged: readonly (PrivilegedFile & {readonly package: string | null})[]
  /** Files that `files` omits unless all were requested. */
  readonly leftOut: readonly LeftOut[]
  /** Growth of all files. */
  readonly sizeBytes: number
  /** Folders and files that could not be read. */
  readonly unreadable: number
  /** Changed files that are not reported, because there are too many. */
  readonly dropped: number
}

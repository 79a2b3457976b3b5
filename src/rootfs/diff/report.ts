import type {GroupChange, UserChange} from './accounts.js'
import {classify, type FileGroup, LEFT_OUT_GROUPS, type LeftOutGroup, type Surroundings} from './classify.js'
import type {Aspect, Entry, EntryKind} from './entries.js'
import type {PackageChanges} from './packages.js'
import {comparePrivileges, compareServices, type PrivilegedFile, type ServiceChange} from './services.js'
import type {Change} from './stacks.js'

/** Results of comparing two trees. */
export type Findings = {readonly changes: readonly Change[]; readonly surroundings: Surroundings}

type Report = Pick<
  TreeDifference,
  'conffiles' | 'files' | 'services' | 'privileged' | 'leftOut' | 'sizeBytes'
>

/** Writes the report, with texts for printing. */
export function writeReport(
  {changes, surroundings}: Findings,
  {listsAll}: {readonly listsAll: boolean},
): Report {
  const growthOf = openGrowth()
  const files = changes.map((change) =>
    describe(change, {
      group: classify(change, surroundings),
      sizeBytes: growthOf(change),
      package:
        surroundings.packages.get(change.path) ?? surroundings.conffiles.get(change.path)?.package ?? null,
    }),
  )
  const told = changes.filter((_, index) => files[index]?.group !== 'envs')
  return {
    conffiles: files.filter(({group}) => group === 'conffile'),
    files: files.filter(({group}) => group === 'other' || (listsAll && group !== 'conffile')),
    services: compareServices(told).map(({name, ...service}) => ({...service, name: decode(name)})),
    privileged: told.flatMap((change) => {
      const file = comparePrivileges(change)
      if (file === undefined) return []
      return [{...file, path: guestPath(file.path), package: surroundings.packages.get(file.path) ?? null}]
    }),
    leftOut: LEFT_OUT_GROUPS.flatMap((group) => countGroup(group, files)),
    sizeBytes: files.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0),
  }
}

function describe(
  {path, before, after, aspects}: Change,
  known: {group: FileGroup; sizeBytes: number; package: string | null},
): FileChange {
  return {
    path: guestPath(path),
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    kind: (after ?? before)?.kind ?? 'file',
    changed: aspects,
    ...known,
  }
}

function countGroup(group: LeftOut['group'], files: readonly FileChange[]): LeftOut[] {
  const those = files.filter((file) => file.group === group)
  if (those.length === 0) return []
  return [{group, files: those.length, sizeBytes: those.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)}]
}

function guestPath(path: string): string {
  return `/${decode(path)}`
}

/** Decodes a byte string. */
function decode(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}

/**
 * Returns a function that computes the growth by each change; a file with several names counts under the
 * first.
 */
function openGrowth(): (change: Pick<Change, 'before' | 'after'>) => number {
  const [old, now] = [sizes(), sizes()]
  return ({before, after}) => now(after) - old(before)
}

function sizes(): (entry: Entry | undefined) => number {
  const linked = new Set<string>()
  return (entry) => {
    if (entry?.inode === undefined) return entry?.sizeBytes ?? 0
    if (linked.has(entry.inode)) return 0
    linked.add(entry.inode)
    return entry.sizeBytes
  }
}

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

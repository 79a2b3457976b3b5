import type {Change} from './compare-stacks.js'
import {groupOfPath, isAlternative, type LeftOutGroup} from './file-group.js'

/** Facts about the trees by which changed files are classified. */
export type Surroundings = {
  /** Paths of files that are as envs wrote them, or that envs moved. */
  readonly own: ReadonlySet<string>
  /** Package by path, after or before. */
  readonly packages: ReadonlyMap<string, string>
  /** Names of packages that have changed their version, or exist only at one point. */
  readonly changedPackages: ReadonlySet<string>
  /** Package and MD5 that dpkg expects of conffiles afterwards. */
  readonly conffiles: ReadonlyMap<string, {readonly package: string; readonly md5: string}>
  /** Conffiles that dpkg knew before. */
  readonly formerConffiles: ReadonlySet<string>
  /** MD5 of conffiles afterwards; missing if there is no such file. */
  readonly digests: ReadonlyMap<string, string>
}

export type FileGroup = 'conffile' | 'other' | LeftOutGroup

type Classified = Pick<Change, 'path' | 'before' | 'after'>

export function classify(change: Classified, known: Surroundings): FileGroup {
  const {path, before, after} = change
  if (known.own.has(path)) return 'envs'
  return (
    groupOfPath(path) ??
    conffileGroup(change, known) ??
    packageGroup(path, known) ??
    (isAlternative(path, [before?.target, after?.target]) ? 'alternatives' : 'other')
  )
}

/** An unchanged conffile belongs to the change of its package; a different one was changed by somebody. */
function conffileGroup({path, after}: Classified, known: Surroundings): FileGroup | undefined {
  const expected = known.conffiles.get(path)
  if (expected === undefined) {
    if (!known.formerConffiles.has(path)) return undefined
    return after === undefined ? 'package' : 'conffile'
  }
  if (after === undefined || known.digests.get(path) !== expected.md5) return 'conffile'
  // The content is the package's, so that another property has changed.
  return known.changedPackages.has(expected.package) ? 'package' : 'conffile'
}

function packageGroup(path: string, {packages, changedPackages}: Surroundings): FileGroup | undefined {
  const name = packages.get(path)
  if (name === undefined) return undefined
  return changedPackages.has(name) ? 'package' : 'other'
}

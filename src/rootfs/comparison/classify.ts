import type {Change} from './compare-stacks.js'
import {groupOfPath, isAlternative, type LeftOutGroup} from './file-group.js'

/** What is known of the trees, to tell what a file that differs has to do with. */
export type Surroundings = {
  /** Paths of files that are as envs writes them, or that it has put elsewhere. */
  readonly own: ReadonlySet<string>
  /** The package that has a path, after or before. */
  readonly packages: ReadonlyMap<string, string>
  /** Names of packages that are not the same version any more, or only at one point. */
  readonly changedPackages: ReadonlySet<string>
  /** What dpkg expects of settings afterwards: the package, and MD5 of the file. */
  readonly conffiles: ReadonlyMap<string, {readonly package: string; readonly md5: string}>
  /** Settings that dpkg knew before. */
  readonly formerConffiles: ReadonlySet<string>
  /** MD5 of settings as they are afterwards; missing where there is no such file. */
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

/** Settings that are as dpkg left them came and went with their package; others, somebody changed. */
function conffileGroup({path, after}: Classified, known: Surroundings): FileGroup | undefined {
  const expected = known.conffiles.get(path)
  if (expected === undefined) {
    if (!known.formerConffiles.has(path)) return undefined
    return after === undefined ? 'package' : 'conffile'
  }
  if (after === undefined || known.digests.get(path) !== expected.md5) return 'conffile'
  // As it was brought, so that something else about it is not as it was.
  return known.changedPackages.has(expected.package) ? 'package' : 'conffile'
}

function packageGroup(path: string, {packages, changedPackages}: Surroundings): FileGroup | undefined {
  const name = packages.get(path)
  if (name === undefined) return undefined
  return changedPackages.has(name) ? 'package' : 'other'
}

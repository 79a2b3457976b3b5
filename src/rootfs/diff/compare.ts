import {readFirst} from '../tree/regular-file.js'
import {compareGroups, compareUsers} from './accounts.js'
import {md5Of} from './entries.js'
import {type MergedTree, openMergedTree} from './merged.js'
import {
  comparePackages,
  filesOfOneMachine,
  findOwners,
  isAsWritten,
  MOST_OWN_FILE_BYTES,
  mergedUsr,
  type OwnFile,
  type PackageChanges,
  type Relocation,
  readAccounts,
  readPackages,
  replacedPrograms,
} from './packages.js'
import {type Findings, type TreeDifference, writeReport} from './report.js'
import {type Change, compareStacks, type Places, type Stacks} from './stacks.js'

export type ComparisonOptions = {
  readonly own: readonly OwnFile[]
  /** Whether the first point is an image, which lacks the files of one environment. */
  readonly isSinceImage: boolean
  /** Whether owners are comparable between both points. */
  readonly ownersCount: boolean
  /** Whether every file is listed. */
  readonly listsAll: boolean
}

/** More than people and packages make. */
const MOST_CHANGES = 200_000
/** Conffiles are texts; a larger one counts as changed. */
const MOST_CONFFILE_BYTES = 64 * 2 ** 20

/** Compares two trees. A hostile guest may use them meanwhile. */
export function compareTrees(stacks: Stacks, options: ComparisonOptions): TreeDifference {
  const {layers} = stacks
  const before = openMergedTree(layers, stacks.before)
  const after = openMergedTree(layers, stacks.after)
  const [oldPackages, nowPackages] = [readPackages(before), readPackages(after)]
  const relocate = mergedUsr(after)
  const conffiles = new Map(
    [...(nowPackages?.values() ?? [])].flatMap(({name, conffiles: each}) =>
      [...each].map(([path, md5]) => [relocate(path), {package: name, md5}] as const),
    ),
  )
  const formerConffiles = new Set(
    [...(oldPackages?.values() ?? [])].flatMap((each) => [...each.conffiles.keys()].map(relocate)),
  )
  const walk = collectChanges(stacks, {...options, isConffile: (path) => conffiles.has(path)})
  const {changes, own, digests, unreadable, dropped} = walk
  const packages =
    oldPackages === undefined && nowPackages === undefined
      ? null
      : comparePackages(oldPackages ?? new Map(), nowPackages ?? new Map())
  const [oldAccounts, nowAccounts] = [readAccounts(before), readAccounts(after)]
  const findings: Findings = {
    changes,
    surroundings: {
      own: new Set([...own, ...replacedPrograms(changes), ...filesOfOneMachine(changes)]),
      packages: packagesOf(changes, {before, after, relocate}),
      changedPackages: namesOf(packages),
      conffiles,
      formerConffiles,
      digests,
    },
  }
  return {
    packages,
    ...writeReport(findings, options),
    users: compareUsers(oldAccounts.users, nowAccounts.users),
    groups: compareGroups(oldAccounts.groups, nowAccounts.groups),
    unreadable,
    dropped,
  }
}

type Walk = {
  readonly changes: readonly Change[]
  /** Paths of files that are as envs wrote them. */
  readonly own: ReadonlySet<string>
  /** MD5 of changed conffiles, afterwards. */
  readonly digests: ReadonlyMap<string, string>
  readonly unreadable: number
  readonly dropped: number
}

type WalkOptions = Pick<ComparisonOptions, 'own' | 'isSinceImage' | 'ownersCount'> & {
  readonly isConffile: (path: string) => boolean
}

function collectChanges(stacks: Stacks, {own, isSinceImage, ownersCount, isConffile}: WalkOptions): Walk {
  const ownFiles = new Map(own.map((each) => [each.path, each]))
  const changes: Change[] = []
  const ownPaths = new Set<string>()
  const digests = new Map<string, string>()
  let [unreadable, dropped] = [0, 0]
  compareStacks(stacks, {
    ownersCount,
    onUnreadable: () => void unreadable++,
    onChange(change, places) {
      if (changes.length >= MOST_CHANGES) return void dropped++
      changes.push(change)
      const {path} = change
      const ownFile = ownFiles.get(path)
      if (ownFile !== undefined && isOwn(ownFile, places, isSinceImage)) ownPaths.add(path)
      if (places.after === undefined || !isConffile(path)) return
      const digest = md5Of(places.after, MOST_CONFFILE_BYTES)
      if (digest !== undefined) digests.set(path, digest)
    },
  })
  return {changes, own: ownPaths, digests, unreadable, dropped}
}

function isOwn(file: OwnFile, {before, after}: Places, isSinceImage: boolean): boolean {
  const isAsEnvsWrites = (place: Buffer | undefined) => {
    const content = place && readFirst(place, MOST_OWN_FILE_BYTES)
    return content !== undefined && isAsWritten(content, file)
  }
  return isAsEnvsWrites(after) && (isSinceImage || before === undefined || isAsEnvsWrites(before))
}

/** Takes package lists from the later point, and from the former point if they have changed. */
function packagesOf(
  changes: readonly Change[],
  {before, after, relocate}: {before: MergedTree; after: MergedTree; relocate: Relocation},
): Map<string, string> {
  const wanted = new Set(changes.map(({path}) => path))
  const former = findOwners(before, {wanted, relocate, only: wanted})
  return new Map([...former, ...findOwners(after, {wanted, relocate})])
}

function namesOf(packages: PackageChanges | null): Set<string> {
  return new Set(
    packages === null
      ? []
      : [packages.added, packages.removed, packages.upgraded, packages.downgraded].flatMap((each) =>
          each.map(({name}) => name),
        ),
  )
}

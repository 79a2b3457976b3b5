import {createHash, type Hash} from 'node:crypto'
import {packageRefusedError} from '../errors.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {memberPath} from '../tree/paths.js'
import type {TreeWriter} from '../tree/writer.js'
import type {PackageControl} from './control.js'
import type {PackageFiles} from './dpkg-database.js'

/** Receives the members of one package's data. */
export type PackageSink = MemberSink & {finish(): PackageFiles}

type Options = {
  readonly writer: TreeWriter
  readonly claims: FileClaims
  /** Absolute paths of its conffiles. */
  readonly conffiles: ReadonlySet<string>
}

/**
 * Writes a package's files as dpkg does, independent of the order of packages: existing folders stay, and of
 * two packages with the same file, the one that replaces the other owns it.
 */
export function openPackageSink(control: PackageControl, {writer, claims, conffiles}: Options): PackageSink {
  const paths: string[] = []
  const sums = new Map<string, string>()
  const hashesAll = !control.files.has('md5sums')
  let current:
    | {readonly path: string; readonly hash: Hash | undefined; readonly isWritten: boolean}
    | undefined

  function begin(member: Member): void {
    const name = memberPath(member.name, DEFAULT_LIMITS)
    const path = name === '' ? '/.' : `/${name}`
    const place = writer.paths.resolvePlace(name)
    const isOurs =
      member.kind === 'folder' ? claims.folder(place, control) : claims.file(place, path, control)
    if (member.kind === 'folder' || isOurs) paths.push(path)
    if (isOurs) writer.begin(asDpkgTakesIt(member))
    if (member.kind === 'hardlink' && hashesAll) repeatSum(member.target, path)
    if (member.kind !== 'file') return
    const isWatched = hashesAll || conffiles.has(path)
    // The sums include files that another package replaced.
    current = {path, hash: isWatched ? createHash('md5') : undefined, isWritten: isOurs}
  }

  function repeatSum(target: string, path: string): void {
    const sum = sums.get(`/${memberPath(target, DEFAULT_LIMITS)}`)
    if (sum !== undefined) sums.set(path, sum)
  }

  return {
    begin,
    data(bytes, offset) {
      current?.hash?.update(bytes)
      if (current?.isWritten === true) writer.data(bytes, offset)
    },
    end() {
      if (current?.isWritten === true) writer.end()
      if (current?.hash !== undefined) sums.set(current.path, current.hash.digest('hex'))
      current = undefined
    },
    finish: () => ({paths, sums}),
  }
}

/** Removes extended attributes, which dpkg ignores. */
function asDpkgTakesIt(member: Member): Member {
  return member.kind === 'file' ? {...member, capability: undefined} : member
}

type Claimant = Pick<PackageControl, 'name' | 'replaces'>

/** Decides which package owns a file, independent of the order of packages. */
export type FileClaims = {
  /** Returns whether this package sets the metadata of a folder. */
  folder(place: string, claimant: Claimant): boolean
  /**
   * Returns whether a file is to be this package's.
   *
   * @param place - Real path, with links on the way resolved.
   * @param path - Path in the package.
   * @throws {PackageRefusedError} If another package has it, and neither replaces the other.
   */
  file(place: string, path: string, claimant: Claimant): boolean
  /** Returns the paths that other packages replaced, by the name of their first package. */
  lost(name: string): ReadonlySet<string>
}

/** This package sets owners and modes of shared folders. */
const FIRST = 'base-files'
const NOTHING: ReadonlySet<string> = new Set()

export function openFileClaims(): FileClaims {
  const files = new Map<string, {readonly claimant: Claimant; readonly path: string}>()
  const folders = new Map<string, string>()
  const lost = new Map<string, Set<string>>()
  return {
    folder(place, {name}) {
      const holder = folders.get(place)
      if (holder !== undefined && !comesBefore(name, holder)) return false
      folders.set(place, name)
      return true
    },
    file(place, path, claimant) {
      const present = files.get(place)
      if (present !== undefined && present.claimant.name !== claimant.name) {
        if (!takesOver(claimant, present.claimant)) return false
        const {name} = present.claimant
        lost.set(name, (lost.get(name) ?? new Set()).add(present.path))
      }
      files.set(place, {claimant, path})
      return true
    },
    lost: (name) => lost.get(name) ?? NOTHING,
  }
}

function comesBefore(name: string, other: string): boolean {
  return other !== FIRST && (name === FIRST || name < other)
}

function takesOver(claimant: Claimant, present: Claimant): boolean {
  const [canTake, canLose] = [claimant.replaces.has(present.name), present.replaces.has(claimant.name)]
  if (!canTake && !canLose)
    throw packageRefusedError({
      name: claimant.name,
      reason: `the package ${present.name} has one of its files`,
    })
  return canTake && canLose ? claimant.name > present.name : canTake
}

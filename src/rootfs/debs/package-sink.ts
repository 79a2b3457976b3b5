import {createHash, type Hash} from 'node:crypto'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {memberPath} from '../tree/member-path.js'
import type {TreeWriter} from '../tree/tree-writer.js'
import type {PackageControl} from './control-files.js'
import type {PackageFiles} from './dpkg-database.js'
import type {FileClaims} from './file-claims.js'

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

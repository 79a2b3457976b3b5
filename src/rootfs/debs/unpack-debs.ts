import type {FindProgram} from '../../compression/host-decoder.js'
import {DebFormatError} from '../../debian/deb-archive.js'
import {EnvsError} from '../../errors.js'
import {writeLedger} from '../ledger/file.js'
import {type LedgerCounts, openLedger} from '../ledger/ledger.js'
import {openMemberNotes} from '../ledger/member-notes.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Timestamp} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {applyFolderMetadata} from '../tree/folder-metadata.js'
import {type OwnerRule, openOwners, type SquashedOwners} from '../tree/owners.js'
import {PathRefusal} from '../tree/path-refusal.js'
import {openTreeWriter, type TreeWriter} from '../tree/tree-writer.js'
import {type AddedFile, addFile} from './added-file.js'
import type {PackageControl} from './control-files.js'
import {conffilesOf, type PackageFiles, type UnpackedPackage, writeDpkgDatabase} from './dpkg-database.js'
import {PackageRefusedError, packageRefusedError} from './errors.js'
import {type FileClaims, openFileClaims} from './file-claims.js'
import {type DebFile, type OpenDeb, openDeb} from './open-deb.js'

import {openPackageSink} from './package-sink.js'

export type UnpackDebsOptions = {
  readonly owners: OwnerRule
  readonly which: FindProgram
  /** Links at the top that are there before any package: `bin` to `usr/bin`. */
  readonly links: readonly string[]
  /** Laid over those of the packages, and unknown to dpkg. */
  readonly files: readonly AddedFile[]
  /** Time of what no package brings. */
  readonly modified: Timestamp
  /** Where is written down what the tree lacks: a new file, outside the tree. */
  readonly ledger: string
  readonly onProgress?: (progress: {entries: number; bytes: number}) => void
}

export type UnpackDebsReport = {
  readonly packages: number
  readonly entries: number
  readonly totalBytes: number
  readonly squashedOwners: SquashedOwners
  readonly losses: LedgerCounts
}

/** So many are decompressed beside the one that is written: as many as there are processors in a small machine. */
const MOST_AHEAD = 2

/**
 * Unpacks packages into `root`, an empty folder, as dpkg would, in the order they come, and leaves dpkg's own list as if it
 * had. None of their scripts was run: that is for `dpkg --configure`, and for whoever runs what comes before.
 *
 * @throws {PackageRefusedError} @throws {CorruptArchiveError} @throws {NodeJS.ErrnoException}
 */
export async function unpackDebs(
  debs: AsyncIterable<DebFile>,
  root: string,
  options: UnpackDebsOptions,
): Promise<UnpackDebsReport> {
  const {which, modified} = options
  const owners = openOwners(options.owners)
  const ledger = openLedger()
  const writer = openTreeWriter(root, {
    limits: DEFAULT_LIMITS,
    owners,
    notes: openMemberNotes(ledger, owners),
    setCapability: () => false,
  })
  const claims = openFileClaims()
  const unpacked: {control: PackageControl; files: PackageFiles}[] = []
  try {
    linkRoot(writer, options)
    for await (const {name, deb} of openAhead(debs, which)) {
      try {
        unpacked.push(await unpackDeb(deb, {writer, claims}))
      } catch (error) {
        throw explain(name, error)
      } finally {
        await deb.close()
      }
      options.onProgress?.({entries: unpacked.length, bytes: writer.counts.bytes})
    }
    const packages = unpacked.map((one): UnpackedPackage => ({...one, lost: claims.lost(one.control.name)}))
    writeDpkgDatabase(packages, {sink: writer, modified})
    for (const file of options.files) addFile(writer, {...file, modified})
    applyFolderMetadata(writer.folders, {absolute: writer.paths.absolute, owners})
    writeLedger(options.ledger, ledger)
  } finally {
    writer.end()
  }
  const {entries, bytes} = writer.counts
  return {
    packages: unpacked.length,
    ...{entries, totalBytes: bytes},
    squashedOwners: owners.squashed(),
    losses: ledger.counts(),
  }
}

/** Files below a link are those of the folder it leads to, so that every path is there once. */
function linkRoot(
  writer: TreeWriter,
  {links, modified}: Pick<UnpackDebsOptions, 'links' | 'modified'>,
): void {
  const owner = {uid: 0, gid: 0, modified}
  if (links.length > 0) writer.begin({kind: 'folder', name: 'usr', mode: 0o755, ...owner})
  for (const name of links) {
    writer.begin({kind: 'folder', name: `usr/${name}`, mode: 0o755, ...owner})
    writer.begin({kind: 'symlink', name, target: `usr/${name}`, mode: 0o777, ...owner})
  }
}

async function unpackDeb(
  {control, data}: OpenDeb,
  {writer, claims}: {writer: TreeWriter; claims: FileClaims},
): Promise<{control: PackageControl; files: PackageFiles}> {
  const conffiles = new Set(conffilesOf(control))
  const sink = openPackageSink(control, {writer, claims, conffiles})
  await readTar(data, sink, DEFAULT_LIMITS)
  return {control, files: sink.finish()}
}

/** Opens those to come while one is written: each begins to be decompressed when it is opened. */
async function* openAhead(
  debs: AsyncIterable<DebFile>,
  which: FindProgram,
): AsyncGenerator<{name: string; deb: OpenDeb}> {
  const iterator = debs[Symbol.asyncIterator]()
  const pending: Promise<{name: string; deb: OpenDeb} | undefined>[] = []
  const openNext = async () => {
    const {done, value} = await iterator.next()
    if (done === true) return undefined
    try {
      return {name: value.name, deb: await openDeb(value, which)}
    } catch (error) {
      throw explain(value.name, error)
    }
  }
  const ask = () => {
    const next = openNext()
    // Met where it is awaited.
    next.catch(() => {})
    pending.push(next)
  }
  try {
    for (let asked = 0; asked <= MOST_AHEAD; asked++) ask()
    for (let next = await pending.shift(); next !== undefined; next = await pending.shift()) {
      ask()
      yield next
    }
  } finally {
    for (const each of pending) await each.then((next) => next?.deb.close()).catch(() => {})
  }
}

function explain(name: string, error: unknown): unknown {
  if (error instanceof DebFormatError)
    return packageRefusedError({name, reason: error.reason}, {cause: error})
  if (error instanceof PathRefusal) return packageRefusedError({name, reason: error.reason}, {cause: error})
  if (error instanceof PackageRefusedError || !(error instanceof EnvsError)) return error
  return error.code === 'ENVS_ARCHIVE_CORRUPT'
    ? packageRefusedError({name, reason: error.message.replace(/\.$/, '')}, {cause: error})
    : error
}

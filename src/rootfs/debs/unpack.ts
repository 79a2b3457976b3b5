import {DebFormatError} from '../../apt/format/deb.js'
import type {FindProgram} from '../../compression/host-program.js'
import {EnvsError} from '../../errors.js'
import {PackageRefusedError, packageRefusedError} from '../errors.js'
import {type LedgerCounts, openLedger, openMemberNotes, writeLedger} from '../ledger/ledger.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Timestamp} from '../tar/member.js'
import {readTar} from '../tar/reader.js'
import {applyFolderMetadata} from '../tree/metadata.js'
import {type OwnerRule, openOwners, type SquashedOwners} from '../tree/owners.js'
import {PathRefusal} from '../tree/paths.js'
import {openTreeWriter, type TreeWriter} from '../tree/writer.js'
import {type AddedFile, addFile} from './added-file.js'
import type {PackageControl} from './control.js'
import {type DebFile, type OpenDeb, openDeb} from './deb.js'
import {conffilesOf, type PackageFiles, type UnpackedPackage, writeDpkgDatabase} from './dpkg-database.js'
import {type FileClaims, openFileClaims, openPackageSink} from './package-sink.js'

export type UnpackDebsOptions = {
  readonly owners: OwnerRule
  readonly which: FindProgram
  /** Links in the root that exist before the first package: `bin` to `usr/bin`. */
  readonly links: readonly string[]
  /** Written after those of the packages, and unknown to dpkg. */
  readonly files: readonly AddedFile[]
  /** Time of files that belong to no package. */
  readonly modified: Timestamp
  /** Path of the metadata journal: a new file, outside of the tree. */
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

/** Number of packages decompressed in advance: the processors of a small machine. */
const MOST_AHEAD = 2

/**
 * Unpacks packages into `root`, an empty folder, as dpkg does, in the order of their arrival, and writes
 * dpkg's list. Runs none of their scripts: the caller runs preinst scripts and `dpkg --configure`.
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

/** Maps paths through a link to the target folder, so that every path is unique. */
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

/** Opens packages in advance while one is written, because opening starts their decompression. */
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
    // The error is handled where the promise is awaited.
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

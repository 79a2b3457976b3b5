import {readdirSync, statfsSync} from 'node:fs'
import {decompress} from '../compression/decompress.js'
import type {FindProgram} from '../compression/host-program.js'
import type {ArchiveInput, Compression} from '../compression/input.js'
import {EnvsError, errnoOf, wordsForErrno} from '../errors.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import {containerImageError, refusedMemberError, storageFailedError, storageFullError} from './errors.js'
import {
  type Ledger,
  type LedgerCounts,
  openLedger,
  openMemberNotes,
  readLedger,
  writeLedger,
} from './ledger/ledger.js'
import {DEFAULT_LIMITS, type Limits} from './limits.js'
import type {MemberSink} from './tar/member.js'
import {readTar} from './tar/reader.js'
import {holdsContainerImage, unwrapRoot} from './tree/layout.js'
import {applyFolderMetadata, openCapabilitySetter} from './tree/metadata.js'
import {type OwnerRule, type Owners, openOwners, ownerOfNewFiles, type SquashedOwners} from './tree/owners.js'
import {PathRefusal} from './tree/paths.js'
import {openTreeWriter, type TreeWriter} from './tree/writer.js'

export type ExtractReport = {
  readonly compression: Compression
  readonly entries: number
  /** Size of all files, without holes. */
  readonly totalBytes: number
  readonly skippedDevices: number
  /** Owners that the user namespace does not map, replaced by nobody (65534); at most 16 are named. */
  readonly squashedOwners: SquashedOwners
  /** Files whose capabilities (setcap) could not be set. */
  readonly fileCapabilities: number
  /** Metadata of the archive that the tree could not get. */
  readonly losses: LedgerCounts
}

export type ExtractOptions = {
  readonly owners: OwnerRule
  readonly which: FindProgram
  readonly architecture: DebArchitecture
  /** Where to write down what the archive has and the tree has not: outside the tree, new with the first layer. */
  readonly ledger?: string
  readonly limits?: Partial<Limits>
  /** Called for every chunk of the archive. */
  readonly onProgress?: (progress: {entries: number; bytes: number}) => void
}

/**
 * Writes the tree in an archive into `root`, a folder of the caller's: empty, or with the layers below. On any error what is
 * there is a part, to be removed.
 *
 * @throws {CorruptArchiveError | UnknownArchiveError | ContainerImageError | RefusedMemberError |
 * StorageFullError | StorageFailedError | ToolMissingError | ToolKilledError}
 */
export async function extractTree(
  input: ArchiveInput,
  root: string,
  options: ExtractOptions,
): Promise<ExtractReport> {
  const limits = {...DEFAULT_LIMITS, totalBytes: freeBytes(root), ...options.limits}
  const owners = openOwners(options.owners, {born: ownerOfNewFiles(root)})
  const {compression, bytes} = decompress(input, options.which)
  const isFirst = readdirSync(root).length === 0
  const below = isFirst || options.ledger === undefined ? undefined : readLedger(options.ledger)
  const ledger = openLedger(below)
  const writer = openTreeWriter(root, {
    limits,
    owners,
    notes: openMemberNotes(ledger, owners),
    setCapability: openCapabilitySetter(options.owners, options),
  })
  const guard = guarded(writer, {root, limits})
  try {
    await readTar(watched(bytes, writer, options.onProgress), guard.sink, limits)
    await makeLateFifos(root, {writer, owners, which: options.which})
    const wrapper = isFirst ? unwrapRoot(root, writer.folders) : undefined
    if (wrapper !== undefined) ledger.lift(wrapper)
    if (holdsContainerImage(root)) throw containerImageError()
    applyFolderMetadata(writer.folders, {absolute: writer.paths.absolute, owners})
    if (options.ledger !== undefined) writeLedger(options.ledger, ledger, {replaces: !isFirst})
  } catch (error) {
    throw explainRefusedMember(error, {root, member: guard.member()})
  } finally {
    writer.end()
  }
  return extractReport(compression, {writer, owners, ledger})
}

/** Makes the FIFOs of an archive: after its other members, because a program of the host makes them. */
export async function makeLateFifos(
  root: string,
  {writer, owners, which}: {writer: TreeWriter; owners: Owners} & Pick<ExtractOptions, 'which'>,
): Promise<void> {
  if (writer.fifos.size === 0) return
  const {makeFifos} = await import('./tree/metadata.js')
  await makeFifos(root, writer.fifos, {paths: writer.paths, owners, which})
}

/** Returns what was written, and what the tree lacks. */
export function extractReport(
  compression: ExtractReport['compression'],
  {writer, owners, ledger}: {writer: TreeWriter; owners: Owners; ledger: Ledger},
): ExtractReport {
  const {entries, bytes, skippedDevices, fileCapabilities} = writer.counts
  return {
    compression,
    entries,
    totalBytes: bytes,
    skippedDevices,
    squashedOwners: owners.squashed(),
    fileCapabilities,
    losses: ledger.counts(),
  }
}

/** Returns the free space of the file system, for a tree in `root`. */
export function freeBytes(root: string): number {
  const {bavail, bsize} = statfsSync(root)
  return bavail * bsize
}

/** Reports the progress of the writer with every chunk. */
export async function* watched(
  bytes: AsyncIterable<Buffer>,
  {counts}: TreeWriter,
  onProgress: ExtractOptions['onProgress'],
): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    yield chunk
    onProgress?.({entries: counts.entries, bytes: counts.bytes})
  }
}

/** Checks files against the limits before they are made, and adds the member to an error. */
export function guarded(
  writer: Pick<TreeWriter, 'counts'> & MemberSink,
  {root, limits}: {root: string; limits: Limits & {totalBytes: number}},
): {sink: MemberSink; member: () => string} {
  let current = ''
  const sink: MemberSink = {
    begin(member) {
      current = member.name
      if (member.kind === 'file') {
        if (writer.counts.bytes + member.storedBytes > limits.totalBytes) throw storageFullError({root})
        if (member.sizeBytes > limits.fileBytes) {
          throw refusedMemberError({member: member.name, reason: `it has ${member.sizeBytes} bytes`})
        }
      }
      writer.begin(member)
    },
    data: writer.data,
    end: writer.end,
  }
  return {sink, member: () => current}
}

/** Errnos that in an empty folder can only result from a name or a kind in the archive. */
const REFUSED = new Set([
  'ELOOP',
  'ENAMETOOLONG',
  'ENOTEMPTY',
  'ENOTDIR',
  'EISDIR',
  'EMLINK',
  'EFBIG',
  'ENOENT',
])

/** Returns an error of the file system as a refusal of the member, or of the disk; any other error unchanged. */
export function explainRefusedMember(
  error: unknown,
  {root, member}: {root: string; member: string},
): unknown {
  if (error instanceof EnvsError) return error
  if (error instanceof PathRefusal) return refusedMemberError({member, reason: error.reason}, {cause: error})
  const errno = errnoOf(error)
  if (errno === undefined) return error
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return storageFullError({root}, {cause: error})
  if (REFUSED.has(errno))
    return refusedMemberError(
      {member, reason: `the file system answered: ${wordsForErrno(errno)}`},
      {cause: error},
    )
  return storageFailedError({path: `${root}/${member}`, reason: wordsForErrno(errno)}, {cause: error})
}

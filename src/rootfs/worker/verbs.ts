import {createHash} from 'node:crypto'
import {closeSync, constants, openSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {archiveToolMissingError} from '../../compression/errors.js'
import {type ArchiveInput, openArchiveInput} from '../../compression/input.js'
import {finishSha256} from '../../host/digest.js'
import {openHost} from '../../host/host.js'
import type {DebFile} from '../debs/deb.js'
import {type UnpackDebsOptions, type UnpackDebsReport, unpackDebs} from '../debs/unpack.js'
import {compareTrees} from '../diff/compare.js'
import {NO_MARKS, readLayerMarks} from '../diff/layer-marks.js'
import type {TreeDifference} from '../diff/report.js'
import {explainErrno} from '../errors.js'
import {type ExportOptions, type ExportReport, exportTree} from '../export/export.js'
import {type PackOptions, type PackReport, packTree} from '../export/pack-image.js'
import {type ExtractOptions, type ExtractReport, extractTree} from '../extract.js'
import {fixTree} from '../fixes/apply.js'
import {planFiles} from '../fixes/edits.js'
import {openTreeView} from '../fixes/tree-view.js'
import {type LedgerCounts, readLedger, writeLedger} from '../ledger/ledger.js'
import {type RestoreReport, recordOwners, restoreOwners} from '../ledger/owners.js'
import {openArchiveOutput} from '../tar/output.js'
import {openCapabilitySetter} from '../tree/metadata.js'
import {openOwners} from '../tree/owners.js'
import {noteTree} from '../tree-notes.js'
import type {
  CompareRequest,
  ExportRequest,
  FixReport,
  LedgerRequest,
  PackedImage,
  PackRequest,
  SettleReport,
  SettleRequest,
  UnpackRequest,
  WorkerRequests,
} from './protocol.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** From a package that not every tree has; without it, no file gets capabilities. */
const SETCAP = ['usr/sbin/setcap', 'sbin/setcap']

export async function pack(
  {root, owners, ledger, latest, archive}: PackRequest,
  onProgress: NonNullable<PackOptions['onProgress']>,
): Promise<PackedImage> {
  try {
    const capabilities = await readCapabilities(root)
    return writeImage(archive, (write) =>
      packTree(root, {owners, ledger, latest, capabilities, write, onProgress}),
    )
  } catch (error) {
    throw explainErrno(error, root)
  }
}

/** Reads capabilities only if there can be any, because that takes a program of the host. */
async function readCapabilities(root: string): Promise<ReadonlyMap<string, Buffer>> {
  const tree = openTreeView(root)
  if (SETCAP.every((path) => tree.kindOf(path) === 'nothing')) return new Map()
  const [marks] = await readLayerMarks([root], openHost())
  return new Map([...(marks?.capabilities ?? [])].map(([path, value]) => [path, Buffer.from(value, 'hex')]))
}

function writeImage(archive: string, make: (write: (bytes: Buffer) => void) => PackReport): PackedImage {
  const fd = openSync(archive, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    const output = openArchiveOutput(fd)
    const hash = createHash('sha256')
    let sizeBytes = 0
    const report = make((bytes) => {
      hash.update(bytes)
      output.write(bytes)
      sizeBytes += bytes.length
    })
    output.flush()
    return {...report, sha256: finishSha256(hash), sizeBytes}
  } finally {
    closeSync(fd)
  }
}

/** Writes the ledger of a copy that has one owner; `root` is the tree it was copied from. */
export function ledgerOfOwners({root, from, to}: LedgerRequest): LedgerCounts {
  return explaining(root, () => {
    const ledger = recordOwners(root, readLedger(from))
    writeLedger(to, ledger)
    return ledger.counts()
  })
}

/** Gives the copy `root` the owners that the former ledger names, and writes the ledger of what it lacks then. */
export function ledgerOfRestored({root, from, to}: LedgerRequest): RestoreReport {
  return explaining(root, () => {
    const setCapability = openCapabilitySetter('keep', openHost())
    const {report, ledger} = restoreOwners(root, readLedger(from), {
      owners: openOwners('keep'),
      setCapability,
    })
    writeLedger(to, ledger)
    return report
  })
}

function explaining<Result>(root: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw explainErrno(error, root)
  }
}

const STDIN = 0

/** @param descriptors - Added to the command line by templates/host/decode.pl; empty without it. */
export async function extract(
  {root, owners, ledger}: WorkerRequests['extract'],
  {onProgress, descriptors}: Pick<ExtractOptions, 'onProgress'> & {descriptors: readonly string[]},
): Promise<ExtractReport> {
  const {which, architecture} = openHost()
  return extractTree(await openInput(descriptors), root, {
    owners,
    which,
    architecture,
    ...(onProgress === undefined ? {} : {onProgress}),
    ...(ledger === undefined ? {} : {ledger}),
  })
}

/** Returns standard input, or the output of a decoder that was started together with this program. */
function openInput([statusFd, archiveFd]: readonly string[]): Promise<ArchiveInput> {
  if (statusFd === undefined || archiveFd === undefined) return openArchiveInput(STDIN)
  return openArchiveInput(Number(archiveFd), {fd: STDIN, statusFd: Number(statusFd)})
}

/** Packages arrive as lines of JSON on standard input, each as soon as it is downloaded. */
export async function unpack(
  {root, ...request}: UnpackRequest,
  onProgress: NonNullable<UnpackDebsOptions['onProgress']>,
): Promise<UnpackDebsReport> {
  const {which} = openHost()
  try {
    return await unpackDebs(readDebs(), root, {...request, which, onProgress})
  } catch (error) {
    throw explainErrno(error, root)
  }
}

async function* readDebs(): AsyncGenerator<DebFile> {
  for await (const line of createInterface({input: process.stdin})) {
    yield JSON.parse(line)
  }
}

/** After the three standard descriptors. */
const ARCHIVE_FD = 3

export async function exportArchive(
  {root, ledger, owners, comment}: ExportRequest,
  onProgress: NonNullable<ExportOptions['onProgress']>,
): Promise<ExportReport> {
  const tar = openHost().which('tar')
  if (tar === undefined)
    throw archiveToolMissingError({program: 'tar', hostPackage: 'tar', purpose: 'to read the tree'})
  try {
    return await exportTree(root, {ledger, rule: owners, comment, tar, fd: ARCHIVE_FD, onProgress})
  } catch (error) {
    throw explainErrno(error, root)
  }
}

export async function compare({before, after, ...options}: CompareRequest): Promise<TreeDifference> {
  const folders = [...new Set([...before, ...after])]
  const marks = await readLayerMarks(folders, openHost())
  const order = (tree: readonly string[]) => tree.map((folder) => folders.indexOf(folder))
  const layers = folders.map((folder, index) => ({folder, marks: marks[index] ?? NO_MARKS}))
  return compareTrees({layers, before: order(before), after: order(after)}, options)
}

/** Does everything in one program: each start of one takes longer than this work. */
export function settle({root, facts, only, planned}: SettleRequest): SettleReport {
  fixTree(root, facts, only)
  return {
    notes: noteTree(openTreeView(root), facts),
    planned: planFiles(root, facts, planned),
  }
}

export function fix({root, facts, only}: WorkerRequests['fix']): FixReport {
  const changed = fixTree(root, facts, only)
  return {changed, notes: noteTree(openTreeView(root), facts)}
}

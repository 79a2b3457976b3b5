import {ExitCode} from '../../errors.js'
import {DigestMismatchError} from '../../host/errors.js'
import {WriteBehind} from '../../host/files.js'
import {NetworkError, UnexpectedSizeError} from '../../host/http/errors.js'
import {descriptorPosition} from '../../host/machine/proc.js'
import {KeptImageDamagedError} from '../../images/cache/errors.js'
import {ImageReplacedError} from '../../images/errors.js'
import type {ImageEvidence, OpenedLayer, OpenedTarballs} from '../../images/opened-image.js'
import {WorkerFailure} from '../../rootfs/errors.js'
import type {OwnerRule} from '../../rootfs/tree/owners.js'
import {
  type ExtractProgress,
  type ExtractReport,
  extractRootfs,
  type TreeProcess,
} from '../../rootfs/worker/api.js'
import type {LayerProgress} from './image-description.js'

/** Progress of the extraction. `archive`: how much of the tarball was read, if known; in bytes. */
export type UnpackProgress = ExtractProgress & {
  readonly archive?: {readonly readBytes: number; readonly totalBytes: number}
  /** The layers of an image of containers. */
  readonly layers?: readonly LayerProgress[]
}

/** The report of an extraction, and the evidence for the image. */
export type Unpacked = {readonly report: ExtractReport; readonly evidence: ImageEvidence}

type UnpackTarget = {
  readonly tree: TreeProcess
  readonly root: string
  readonly owners: OwnerRule
  readonly ledger: string
}

/**
 * Extracts an image into `root`, an empty folder, and verifies the digest of its bytes after that.
 *
 * @param options.isSynced - Whether the tree will be synced to disk; the write-back begins during the extraction.
 * @throws As `extractRootfs` and `verify`.
 */
export async function unpackImage(
  image: OpenedTarballs,
  {tree, root, owners, ledger}: UnpackTarget,
  options: {isSynced: boolean; signal: AbortSignal; onProgress: (event: UnpackProgress) => void},
): Promise<Unpacked> {
  try {
    const writing = options.isSynced ? new WriteBehind(root) : undefined
    const {signal} = options
    const [first, ...rest] = image.layers
    const extract = (layer: OpenedLayer, below?: ExtractReport) => {
      const onProgress = (progress: ExtractProgress) => {
        const {entries, bytes} = sumOf(progress, below)
        writing?.note(bytes)
        options.onProgress({entries, bytes, ...readOf(layer)})
      }
      return extractRootfs(tree, layer.bytes, {root, owners, ledger}, {signal, onProgress})
    }
    let report = await extract(first)
    for (const layer of rest) report = mergeReports(report, await extract(layer, report))
    return {report, evidence: await image.verify()}
  } catch (error) {
    throw await causeOf(error, image)
  }
}

function sumOf({entries, bytes}: ExtractProgress, below: ExtractReport | undefined): ExtractProgress {
  return {entries: entries + (below?.entries ?? 0), bytes: bytes + (below?.totalBytes ?? 0)}
}

/** Merges the reports of two layers. The losses are those of the upper report: the ledger covers the whole tree. */
function mergeReports(below: ExtractReport, above: ExtractReport): ExtractReport {
  const {count, ids} = above.squashedOwners
  return {
    ...above,
    entries: below.entries + above.entries,
    totalBytes: below.totalBytes + above.totalBytes,
    skippedDevices: below.skippedDevices + above.skippedDevices,
    squashedOwners: {
      count: below.squashedOwners.count + count,
      ids: [...new Set([...below.squashedOwners.ids, ...ids])],
    },
    fileCapabilities: below.fileCapabilities + above.fileCapabilities,
  }
}

/** Returns how much of a file was read: the decoder shares its file position with this process. */
function readOf({bytes, sizeBytes}: OpenedLayer): Pick<UnpackProgress, 'archive'> {
  if (!('fd' in bytes) || sizeBytes === undefined) return {}
  return {archive: {readBytes: descriptorPosition(bytes.fd), totalBytes: sizeBytes}}
}

/** Returns the cause of a failure: for a corrupt tarball that is also not the expected one, the mismatch. */
async function causeOf(error: unknown, image: OpenedTarballs): Promise<unknown> {
  const isContent = error instanceof WorkerFailure && error.exitCode === ExitCode.integrity
  if (!isContent || image.expected === undefined) return error
  const mismatch = await image.verify().then(
    () => undefined,
    (failure: unknown) => failure,
  )
  return MISMATCHES.some((kind) => mismatch instanceof kind) ? mismatch : error
}

const MISMATCHES = [
  DigestMismatchError,
  ImageReplacedError,
  KeptImageDamagedError,
  NetworkError,
  UnexpectedSizeError,
]

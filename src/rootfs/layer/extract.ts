import {createHash} from 'node:crypto'
import {decompress} from '../../compression/decompress.js'
import type {ArchiveInput} from '../../compression/input.js'
import {finishSha256, type Sha256} from '../../host/digest.js'
import {
  type ExtractOptions,
  type ExtractReport,
  explainRefusedMember,
  extractReport,
  freeBytes,
  guarded,
  makeLateFifos,
  watched,
} from '../extract.js'
import {openLedger, openMemberNotes, writeLedger} from '../ledger/ledger.js'
import {DEFAULT_LIMITS} from '../limits.js'
import {readTar} from '../tar/reader.js'
import {setAttributes} from '../tree/attributes.js'
import {applyFolderMetadata, openCapabilitySetter} from '../tree/metadata.js'
import {openOwners, ownerOfNewFiles} from '../tree/owners.js'
import {openTreeWriter} from '../tree/writer.js'
import {writeChanges} from './changes.js'
import {OPEN, openLayerSink} from './sink.js'

export type LayerReport = ExtractReport & {
  /** Digest of the layer without its compression. */
  readonly diffId: Sha256
}

type LayerExtractOptions = ExtractOptions & {
  readonly ledger: string
  /** Path of the file of changes: outside the tree, a new file. */
  readonly changes: string
}

/**
 * Writes the entries of one layer of a container image into `root`, an empty folder of the caller's, and what the layer means for
 * those below it into the file of changes. On any error what is there is a part, to be removed.
 *
 * The caller compares the returned digest before it uses a file of the tree.
 *
 * @throws As `extractTree`.
 */
export async function extractLayer(
  input: ArchiveInput,
  root: string,
  options: LayerExtractOptions,
): Promise<LayerReport> {
  const limits = {...DEFAULT_LIMITS, totalBytes: freeBytes(root), ...options.limits}
  const owners = openOwners(options.owners, {born: ownerOfNewFiles(root)})
  // Builders make layers of no bytes, which have no format to detect.
  const {compression, bytes} =
    input.start.length === 0
      ? {compression: 'none' as const, bytes: input.bytes}
      : decompress(input, options.which)
  const hash = createHash('sha256')
  const ledger = openLedger()
  const writer = openTreeWriter(root, {
    limits,
    owners,
    notes: openMemberNotes(ledger, owners),
    setCapability: openCapabilitySetter(options.owners, options),
  })
  const layer = openLayerSink(root, {writer, limits, onGone: ledger.forget})
  const guard = guarded({...layer, counts: writer.counts}, {root, limits})
  try {
    await readTar(watched(hashed(bytes, hash), writer, options.onProgress), guard.sink, limits, 'open')
    await makeLateFifos(root, {writer, owners, which: options.which})
    const changes = layer.finish()
    const {absolute, resolvePlace} = writer.paths
    setAttributes(
      [...layer.fileAttributes].map(([path, all]) => [absolute(resolvePlace(path)), all] as const),
      options,
    )
    const folders = [...writer.folders].map(
      ([path, look]) => [path, {...look, mode: look.mode | OPEN}] as const,
    )
    applyFolderMetadata(new Map(folders), {absolute: writer.paths.absolute, owners})
    writeChanges(options.changes, changes)
    writeLedger(options.ledger, ledger)
  } catch (error) {
    throw explainRefusedMember(error, {root, member: guard.member()})
  } finally {
    writer.end()
  }
  return {diffId: finishSha256(hash), ...extractReport(compression, {writer, owners, ledger})}
}

async function* hashed(
  bytes: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
}

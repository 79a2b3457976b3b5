import {createHash} from 'node:crypto'
import type {Readable} from 'node:stream'
import {finishSha256} from '../../host/digest.js'
import type {Host} from '../../host/host.js'
import {compressLayer, type LayerCompression} from '../../rootfs/layer/compress.js'
import {type ExtractProgress, packLayer, type TreeProcess} from '../../rootfs/worker/api.js'
import type {WriteBlob} from './archive-file.js'
import type {NamedLayer} from './documents.js'
import type {PlannedLayer} from './plan.js'

export type PackedLayer = NamedLayer & {
  /** 0: nothing has changed, and the image needs no such layer. */
  readonly entries: number
}

type PackOptions = {
  readonly process: TreeProcess
  readonly compression: LayerCompression
  readonly signal: AbortSignal
  readonly onProgress: (progress: ExtractProgress) => void
  /** Receives the compressed layer. */
  readonly write: WriteBlob
}

/** Packs a layer, and computes both digests on the way. @throws As `packLayer`, `compressLayer` and `write`. */
export async function packPlanned(
  {which}: Pick<Host, 'which'>,
  {request}: PlannedLayer,
  {process, compression, signal, onProgress, write}: PackOptions,
): Promise<PackedLayer> {
  const [plain, compressed] = [createHash('sha256'), createHash('sha256')]
  let sizeBytes = 0
  async function* hashed(bytes: Readable): AsyncGenerator<Buffer> {
    for await (const piece of bytes) {
      plain.update(piece)
      yield piece
    }
  }
  const consume = async (bytes: Readable) => {
    for await (const piece of compressLayer(hashed(bytes), compression, {which, signal})) {
      compressed.update(piece)
      sizeBytes += piece.length
      await write(piece)
    }
  }
  const {entries} = await packLayer(process, request, consume, {signal, onProgress})
  return {
    digest: `sha256:${finishSha256(compressed)}`,
    diffId: `sha256:${finishSha256(plain)}`,
    ...{sizeBytes, compression, entries},
  }
}

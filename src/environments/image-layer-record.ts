import {writeFileAtomic} from '../host/atomic-file.js'
import {isSha256, type Sha256} from '../host/digest.js'
import {unlessErrno} from '../host/errno.js'
import {readSmallFile} from '../host/small-file.js'
import type {ExtractReport, PlannedFile, TreeNote} from '../rootfs/tree-process.js'
import {fieldsOf} from '../rootfs/worker-fields.js'
import {parseExtractReport, parseNotes, parsePlannedFiles} from '../rootfs/worker-results.js'

/** What is known of a layer that was made of an image, for every environment that stands on it. */
export type ImageLayerRecord = {
  /** Of the archive, as is `archiveBytes`. */
  readonly sha256: Sha256
  readonly archiveBytes: number
  readonly report: ExtractReport
  readonly notes: readonly TreeNote[]
  /** What each environment has of its own, with slots for it. */
  readonly personal: readonly PlannedFile[]
  /** What the tree takes on disk. */
  readonly treeBytes: number
}

/** Part of a layer's name: what another version wrote is another layer. Those of 1 have the image's SSH host keys. */
export const LAYER_SCHEMA = '2'

export async function writeLayerRecord(path: string, record: ImageLayerRecord): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`, {mode: 0o600})
}

/**
 * @returns undefined when there is none: no layer, or one that is not whole. So too for one that a disk has damaged: nothing
 * in it can't be found out again.
 */
export async function readLayerRecord(path: string): Promise<ImageLayerRecord | undefined> {
  const text = unlessErrno(() => readSmallFile(path), 'ENOENT')
  if (text === undefined) return undefined
  try {
    return parseLayerRecord(text)
  } catch {
    return undefined
  }
}

/** @throws {Error} On anything that this version does not write. */
function parseLayerRecord(text: string): ImageLayerRecord {
  const fields = fieldsOf(JSON.parse(text))
  const sha256 = fields.text('sha256')
  if (!isSha256(sha256)) throw new Error('it names no digest')
  return {
    sha256,
    archiveBytes: fields.number('archiveBytes'),
    report: parseExtractReport(fields.value('report')),
    notes: parseNotes(fields.value('notes')),
    personal: parsePlannedFiles(fields.value('personal')),
    treeBytes: fields.number('treeBytes'),
  }
}

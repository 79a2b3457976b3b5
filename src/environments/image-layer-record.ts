import * as v from 'valibot'
import {writeFileAtomic} from '../host/atomic-file.js'
import {unlessErrno} from '../host/errno.js'
import {numberField, oneOfField, parseIfValid, type RecordOf, sha256Field} from '../host/records.js'
import {readSmallFile} from '../host/small-file.js'

/** What a worker said of the image when it was extracted; see extract.ts of rootfs for the fields. */
const extractReportSchema = v.object({
  compression: oneOfField(['none', 'gzip', 'xz', 'zstd', 'bzip2']),
  entries: numberField,
  totalBytes: numberField,
  skippedDevices: numberField,
  squashedOwners: v.object({count: numberField, ids: v.array(numberField)}),
  fileCapabilities: numberField,
  losses: v.object({
    owners: numberField,
    capabilities: numberField,
    devices: numberField,
    dropped: numberField,
  }),
})

const plannedFileSchema = v.object({
  path: v.string(),
  mode: numberField,
  content: v.string(),
  folders: v.array(v.object({path: v.string(), mode: numberField})),
})

const layerRecordEntries = {
  /** Of the archive, as is `archiveBytes`. */
  sha256: sha256Field,
  archiveBytes: numberField,
  report: extractReportSchema,
  notes: v.array(
    v.variant('kind', [
      v.object({kind: v.literal('minimized')}),
      v.object({kind: v.literal('archived'), codename: v.string()}),
    ]),
  ),
  /** What each environment has of its own, with slots for it. */
  personal: v.array(plannedFileSchema),
  /** What the tree takes on disk. */
  treeBytes: numberField,
}

const layerRecordSchema = v.object(layerRecordEntries)

/** What is known of a layer that was made of an image, for every environment that stands on it. */
export type ImageLayerRecord = RecordOf<typeof layerRecordSchema>

const LAYER_RECORD_VERSION = 1

/** The file as it is written; the first ones name no version. */
const layerFileSchema = v.object({
  schemaVersion: v.optional(v.literal(LAYER_RECORD_VERSION)),
  ...layerRecordEntries,
})

/** Part of a layer's name: what another version wrote is another layer. Those of 1 have the image's SSH host keys. */
export const LAYER_SCHEMA = '2'

export async function writeLayerRecord(path: string, record: ImageLayerRecord): Promise<void> {
  const json = {schemaVersion: LAYER_RECORD_VERSION, ...record}
  await writeFileAtomic(path, `${JSON.stringify(json)}\n`, {mode: 0o600})
}

/**
 * @returns undefined when there is none: no layer, or one that is not whole. So too for a record that a disk has damaged, or
 * of a newer version: everything in it can be found out again.
 */
export async function readLayerRecord(path: string): Promise<ImageLayerRecord | undefined> {
  const text = unlessErrno(() => readSmallFile(path), 'ENOENT')
  if (text === undefined) return undefined
  const {schemaVersion: _, ...record} = parseIfValid(text, layerFileSchema) ?? {}
  return 'sha256' in record ? record : undefined
}

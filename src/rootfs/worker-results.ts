import type {Compression} from '../compression/format.js'
import {isSha256} from '../host/digest.js'
import type {UnpackDebsReport} from './debs/unpack-debs.js'
import type {ExportReport} from './export/export-tree.js'
import type {ExtractReport} from './extract.js'
import type {PlannedFile} from './fixes/planned-files.js'
import type {LedgerCounts} from './ledger/ledger.js'
import type {RestoreReport} from './ledger/restore.js'
import type {Usage} from './measure.js'
import type {RemoveReport} from './remove.js'
import type {SquashedOwners} from './tree/owners.js'
import type {TreeNote} from './tree-notes.js'
import {asText, type Fields, fieldsOf} from './worker-fields.js'
import type {PackedImage} from './worker-verbs/pack.js'

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'xz', 'zstd', 'bzip2']

/** @throws {Error} Like all readers here: the worker is this program. */
export function parseExtractReport(value: unknown): ExtractReport {
  const fields = fieldsOf(value)
  const compression = COMPRESSIONS.find((known) => known === fields.text('compression'))
  if (compression === undefined) throw new Error('the rootfs worker named an unknown compression')
  return {
    compression,
    entries: fields.number('entries'),
    totalBytes: fields.number('totalBytes'),
    skippedDevices: fields.number('skippedDevices'),
    squashedOwners: parseSquashed(fields.group('squashedOwners')),
    fileCapabilities: fields.number('fileCapabilities'),
    losses: parseLosses(fields.value('losses')),
  }
}

export function parseRestoreReport(value: unknown): RestoreReport {
  const fields = fieldsOf(value)
  return {
    restored: fields.number('restored'),
    squashedOwners: parseSquashed(fields.group('squashedOwners')),
    losses: parseLosses(fields.value('losses')),
  }
}

function parseSquashed({number, list}: Fields): SquashedOwners {
  return {count: number('count'), ids: list('ids').map(Number)}
}

export function parseLosses(value: unknown): LedgerCounts {
  const {number} = fieldsOf(value)
  return {
    owners: number('owners'),
    capabilities: number('capabilities'),
    devices: number('devices'),
    dropped: number('dropped'),
  }
}

export function parseExportReport(value: unknown): ExportReport {
  const {number} = fieldsOf(value)
  return {entries: number('entries'), totalBytes: number('totalBytes')}
}

export function parseUnpackDebsReport(value: unknown): UnpackDebsReport {
  const {number, group, value: any} = fieldsOf(value)
  return {
    packages: number('packages'),
    entries: number('entries'),
    totalBytes: number('totalBytes'),
    squashedOwners: parseSquashed(group('squashedOwners')),
    losses: parseLosses(any('losses')),
  }
}

export function parsePackedImage(value: unknown): PackedImage {
  const {number, text, value: any} = fieldsOf(value)
  const sha256 = text('sha256')
  if (!isSha256(sha256)) throw new Error('the rootfs worker told no digest')
  return {
    sha256,
    sizeBytes: number('sizeBytes'),
    entries: number('entries'),
    totalBytes: number('totalBytes'),
    losses: parseLosses(any('losses')),
  }
}

export function parseRemoveReport(value: unknown): RemoveReport {
  const fields = fieldsOf(value)
  const failures = fields.list('failures').map((failure) => {
    const {text} = fieldsOf(failure)
    return {path: text('path'), code: text('code')}
  })
  return {removed: fields.number('removed'), failures}
}

export function parseUsages(value: unknown): Usage[] {
  if (!Array.isArray(value)) throw new Error('the rootfs worker measured nothing')
  return value.map(parseUsage)
}

function parseUsage(value: unknown): Usage {
  const {number} = fieldsOf(value)
  return {sizeBytes: number('sizeBytes'), entries: number('entries'), unreadable: number('unreadable')}
}

/** Result of fixing a tree. */
export type FixReport = {
  /** Names of the fixes that changed something. */
  readonly changed: readonly string[]
  readonly notes: readonly TreeNote[]
}

export function parseFixReport(value: unknown): FixReport {
  const fields = fieldsOf(value)
  return {changed: fields.list('changed').map(asText), notes: fields.list('notes').map(parseNote)}
}

/** Result of preparing a tree. */
export type SettleReport = {
  readonly notes: readonly TreeNote[]
  readonly planned: readonly PlannedFile[]
}

export function parseSettleReport(value: unknown): SettleReport {
  const fields = fieldsOf(value)
  return {
    notes: fields.list('notes').map(parseNote),
    planned: parsePlannedFiles(fields.value('planned')),
  }
}

export function parsePlannedFiles(value: unknown): PlannedFile[] {
  if (!Array.isArray(value)) throw new Error('the rootfs worker planned nothing')
  return value.map((each) => {
    const {text, number, list} = fieldsOf(each)
    const folders = list('folders').map((folder) => {
      const fields = fieldsOf(folder)
      return {path: fields.text('path'), mode: fields.number('mode')}
    })
    return {path: text('path'), mode: number('mode'), content: text('content'), folders}
  })
}

export function parseNotes(value: unknown): TreeNote[] {
  if (!Array.isArray(value)) throw new Error('no list of notes')
  return value.map(parseNote)
}

function parseNote(value: unknown): TreeNote {
  const fields = fieldsOf(value)
  const kind = fields.text('kind')
  switch (kind) {
    case 'minimized':
      return {kind}
    case 'archived':
      return {kind, codename: fields.text('codename')}
    default:
      throw new Error(`the rootfs worker sent an unknown note ${kind}`)
  }
}

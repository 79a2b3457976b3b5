import {createHash, randomBytes} from 'node:crypto'
import {chmodSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import * as v from 'valibot'
import {isErrno, unlessErrno} from '../host/errno.js'
import {makeFolders, namesIn, readSmallFile, writeFileAtomic} from '../host/files.js'
import {numberField, oneOfField, parseIfValid, type RecordOf, sha256Field} from '../host/records.js'

/** The id of a layer in a record. */
export const layerIdField = v.custom<LayerId>(
  (value) => typeof value === 'string' && isLayerId(value),
  'the name of a layer',
)

/** The worker's report on the extraction of the image; src/rootfs/extract.ts describes the fields. */
export const extractReportSchema = v.object({
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
  /** Digest of the image's tarball, whose size is `archiveBytes`. */
  sha256: sha256Field,
  archiveBytes: numberField,
  report: extractReportSchema,
  notes: v.array(
    v.variant('kind', [
      v.object({kind: v.literal('minimized')}),
      v.object({kind: v.literal('archived'), codename: v.string()}),
    ]),
  ),
  /** Files that each environment gets a copy of, with slots for its own values. */
  personal: v.array(plannedFileSchema),
  /** Allocated bytes of the tree. */
  treeBytes: numberField,
  /** Stored layers of an image of containers, whose files the tree shares. */
  stored: v.exactOptional(v.array(layerIdField)),
}

const layerRecordSchema = v.object(layerRecordEntries)

/** The record of a layer that was made from an image, shared by the environments that use it. */
export type ImageLayerRecord = RecordOf<typeof layerRecordSchema>

const LAYER_RECORD_VERSION = 1

/** The record file; the first ones have no version. */
const layerFileSchema = v.object({
  schemaVersion: v.optional(v.literal(LAYER_RECORD_VERSION)),
  ...layerRecordEntries,
})

/** Part of a layer's name, so that layers of other versions are not used. Layers of 1 contain the image's SSH host keys. */
export const LAYER_SCHEMA = '2'

/** Writes the record of an image's layer, which marks the layer as complete. */
export async function writeLayerRecord(path: string, record: ImageLayerRecord): Promise<void> {
  const json = {schemaVersion: LAYER_RECORD_VERSION, ...record}
  await writeFileAtomic(path, `${JSON.stringify(json)}\n`, {mode: 0o600})
}

/**
 * Returns the record of an image's layer; undefined without one, when the layer is missing or incomplete. Also undefined for a
 * damaged record and one of a newer version: all its values can be determined again.
 */
export async function readLayerRecord(path: string): Promise<ImageLayerRecord | undefined> {
  const text = unlessErrno(() => readSmallFile(path), 'ENOENT')
  if (text === undefined) return undefined
  const {schemaVersion: _, ...record} = parseIfValid(text, layerFileSchema) ?? {}
  return 'sha256' in record ? record : undefined
}

/**
 * Mode of the folder of a new layer. The sticky bit, which means nothing for a folder that only its owner may enter, says that one
 * environment alone has ever named the layer: with the mode of the folder, the mark is there from the beginning, and removing it
 * needs no space. Layers of version 0.1 lack it.
 */
const OWN_MODE = 0o1700
const STICKY = 0o1000

/** Returns whether one environment alone has ever named the layer. */
export function isOwnLayer(layers: string, id: LayerId): boolean {
  const status = statSync(layerFiles(layers, id).folder, {throwIfNoEntry: false})
  return status !== undefined && (status.mode & STICKY) !== 0
}

/** Records that another environment is about to name the layers. */
export function shareLayerFolders(layers: string, ids: readonly LayerId[]): void {
  for (const id of ids) if (isOwnLayer(layers, id)) chmodSync(layerFiles(layers, id).folder, 0o700)
}

/**
 * Makes the folder of a layer whose files come from a copy. The caller holds the lock of the layers until a history names the layer:
 * without a holder, an incomplete layer is that of a killed command, and garbage collection removes it at once.
 */
export function beginLayer(layers: string, id: LayerId): void {
  const partial = join(layers, `.partial.${identityOf(id)}.${randomBytes(4).toString('hex')}`)
  mkdirSync(partial, {mode: OWN_MODE})
  writeFileSync(filesIn(partial).incomplete, '', {mode: 0o600})
  renameSync(partial, layerFiles(layers, id).folder)
}

/** Ends what {@link beginLayer} began, when a history names the layer. */
export function completeLayer(layers: string, id: LayerId): void {
  unlessErrno(() => rmSync(layerFiles(layers, id).incomplete, {force: true}))
}

/** Makes the folder of a layer. The caller holds the lock of the layers until a history names the layer. */
export async function makeLayerFolder(layers: string, id: LayerId): Promise<void> {
  await makeFolders(layerFiles(layers, id).folder, {mode: OWN_MODE})
}

/**
 * Makes an empty upper layer, or its missing parts. A history names the layer after that, so that a missing upper layer is a
 * lost one. The caller holds the lock of the layers until then.
 *
 * @param below - The layer under it, whose root's permissions the new root gets.
 */
export async function makeUpper(
  layers: string,
  id: LayerId,
  {below}: {readonly below: LayerId},
): Promise<void> {
  const {tree, work} = layerFiles(layers, id)
  await makeLayerFolder(layers, id)
  makeUnlessThere(work)
  if (!makeUnlessThere(tree)) return
  chmodSync(tree, statSync(layerFiles(layers, below).tree).mode & 0o777)
}

/** Returns whether a layer contains no changes. */
export async function isEmptyLayer(layers: string, id: LayerId): Promise<boolean> {
  return namesIn(layerFiles(layers, id).tree).length === 0
}

/**
 * Removes a layer that contains no changes and will not be used again.
 *
 * @param folder - The folder of the layer, under its present name.
 * @returns Whether it was removed; otherwise its files are still there.
 */
export function removeEmptyLayer(folder: string): boolean {
  const {tree, work} = filesIn(folder)
  try {
    rmdirSync(tree)
    rmdirUnlessMissing(join(work, OVERLAYFS_WORK))
    rmdirSync(work)
    rmdirSync(folder)
    return true
  } catch (error) {
    if (!isErrno(error)) throw error
    return false
  }
}

/** overlayfs makes this folder at the first mount, and leaves it there. */
const OVERLAYFS_WORK = 'work'

function rmdirUnlessMissing(path: string): void {
  unlessErrno(() => rmdirSync(path), 'ENOENT')
}

/** @returns Whether the folder was made. */
function makeUnlessThere(folder: string): boolean {
  try {
    mkdirSync(folder, {mode: 0o700})
    return true
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    return false
  }
}

/** Paths of the parts of one layer. */
export type LayerFiles = {
  readonly folder: string
  /** The files: a whole tree, or changes to the layers below. */
  readonly tree: string
  /** Work folder of overlayfs, used while the layer is writable. */
  readonly work: string
  /** The record of an image's layer; written last. */
  readonly record: string
  /** Marks a copy that no history names yet. */
  readonly incomplete: string
}

/** Returns the paths of the parts of a layer. @param layers - The folder of all layers. */
export function layerFiles(layers: string, id: LayerId): LayerFiles {
  return filesIn(join(layers, id))
}

/** Returns the paths of the parts in the folder of a layer, also while it has another name. */
export function filesIn(folder: string): LayerFiles {
  return {
    folder,
    tree: join(folder, 'tree'),
    work: join(folder, 'work'),
    record: join(folder, 'layer.json'),
    incomplete: join(folder, 'incomplete'),
  }
}

/** Returns the existing layers, in no order; layers that are being made or removed have other names. */
export async function listLayers(layers: string): Promise<LayerId[]> {
  return namesIn(layers).filter(isLayerId)
}

declare const brand: unique symbol

/**
 * Names one layer of the store: `m` or `e` for the identity of its owners, and 31 hexadecimal digits. Short,
 * because mount(2) accepts a page of them.
 */
export type LayerId = string & {readonly [brand]: 'LayerId'}

type Identity = 'mapped' | 'emulated'

export function isLayerId(text: string): text is LayerId {
  return /^[me][0-9a-f]{31}$/.test(text)
}

export function newLayerId(identity: Identity): LayerId {
  return toLayerId(identity, randomBytes(16).toString('hex'))
}

/** Returns the layer for a list of ingredients: the same list gives the same layer. */
export function layerIdOf(identity: Identity, ingredients: readonly string[]): LayerId {
  const hash = createHash('sha256')
  // With their lengths, so that no two lists have the same digest.
  for (const ingredient of ingredients) hash.update(`${ingredient.length}:${ingredient}`)
  return toLayerId(identity, hash.digest('hex'))
}

/**
 * Returns the identity of a layer's owners: only root of that identity can read and remove all of its files.
 */
export function identityOf(id: LayerId): Identity {
  return id.startsWith('m') ? 'mapped' : 'emulated'
}

function toLayerId(identity: Identity, hex: string): LayerId {
  const text = `${identity.slice(0, 1)}${hex.slice(0, 31)}`
  if (!isLayerId(text)) throw new Error(`${text} is no name of a layer`)
  return text
}

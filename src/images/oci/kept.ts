import {existsSync, statSync} from 'node:fs'
import {mkdir, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {isDeepStrictEqual} from 'node:util'
import * as v from 'valibot'
import type {Sha256} from '../../host/digest.js'
import {makeFolders, publish, syncFilesIn, writeFileAtomic} from '../../host/files.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import {
  numberField,
  oneOfField,
  type RecordFormat,
  type RecordOf,
  readRecordFile,
  recordText,
  sha256Field,
  timeField,
  unreadableBy,
} from '../../host/records.js'
import {renderEvidence} from '../../registry/trust/evidence.js'
import {ImageRecordUnreadableError, imageRecordUnreadableError} from '../cache/errors.js'
import {
  type ImageFiles,
  imageFiles,
  listEntries,
  lockImageForFetching,
  partialFiles,
} from '../cache/layout.js'
import {type ContainerImage, hexOf, originOf} from './container-image.js'
import {containerOriginSchema} from './origin.js'

const keptContainerSchema = v.object({
  origin: containerOriginSchema,
  /** Digest of the manifest, without its prefix. */
  sha256: sha256Field,
  /** dpkg's name of the processor. */
  architecture: v.string(),
  trust: oneOfField(['signed', 'registry', 'digest', 'unverified']),
  /** Of all layers as they are stored. */
  sizeBytes: numberField,
  fetchedAt: timeField,
  /** The lowest first. */
  layers: v.array(
    v.object({diffId: sha256Field, digest: sha256Field, sizeBytes: numberField, mediaType: v.string()}),
  ),
})

/**
 * The record of an image of containers. Its layers are in the store of layers; its manifest, list of platforms and configuration are
 * in the folder `evidence`, byte for byte, under the names of {@link EVIDENCE}.
 */
export type ContainerRecord = RecordOf<typeof keptContainerSchema>

export type KeptContainer = ContainerRecord & {
  /** Folder of the evidence. */
  readonly evidence: string
  readonly lastUsedAt: Date | null
}

export const EVIDENCE = {
  manifest: 'manifest.json',
  index: 'index.json',
  configuration: 'config.json',
  /** Absent from an image that is not signed. */
  signature: 'signature.json',
} as const

const CONTAINER_FORMAT: RecordFormat<typeof keptContainerSchema> = {
  schema: keptContainerSchema,
  // A configuration has 4 MiB at most.
  maxBytes: 16 * 2 ** 20,
  indent: 2,
  unreadable: unreadableBy(imageRecordUnreadableError),
}

/** A folder with this file is that of an image of containers; other images have `image.json`. */
function recordPath({folder}: ImageFiles): string {
  return join(folder, 'container.json')
}

export function isContainerFolder(images: string, sha256: Sha256): boolean {
  return existsSync(recordPath(imageFiles(images, sha256)))
}

/**
 * Keeps the record of an image whose layers are in the store. An image that is kept under another reference gets the new one.
 *
 * @param images - The folder of cached images.
 */
export async function keepContainer(
  images: string,
  image: ContainerImage,
  around: {readonly architecture: DebArchitecture; readonly now: Date; readonly signal: AbortSignal},
): Promise<void> {
  const {digest: sha256, manifest, index, configuration, layers, trust} = image
  const lock = await lockImageForFetching(images, sha256, {signal: around.signal, onWait: () => {}})
  try {
    if (isKept(images, image)) return
    const partial = partialFiles(images, sha256)
    await rm(partial.folder, {recursive: true, force: true})
    await makeFolders(partial.folder, {mode: 0o700})
    await mkdir(partial.evidence, {mode: 0o700})
    const signature = image.signature && {bytes: renderEvidence(image.signature.evidence)}
    const documents = {manifest, index, configuration, signature}
    for (const name of ['manifest', 'index', 'configuration', 'signature'] as const) {
      const bytes = documents[name]?.bytes
      if (bytes !== undefined) await writeFile(join(partial.evidence, EVIDENCE[name]), bytes, {mode: 0o600})
    }
    await syncFilesIn(partial.evidence)
    const record: ContainerRecord = {
      origin: originOf(image),
      sha256,
      architecture: around.architecture,
      trust,
      sizeBytes: layers.reduce((sum, {blob}) => sum + blob.size, 0),
      fetchedAt: around.now,
      layers: layers.map(({diffId, blob}) => ({
        diffId,
        digest: hexOf(blob.digest),
        sizeBytes: blob.size,
        mediaType: blob.mediaType,
      })),
    }
    await writeFileAtomic(recordPath(partial), recordText(record, CONTAINER_FORMAT), {mode: 0o600})
    const {folder} = imageFiles(images, sha256)
    await rm(folder, {recursive: true, force: true})
    await publish(partial.folder, folder)
  } finally {
    lock.release()
  }
}

/** A new signature, or one of another signer, replaces the record. */
function isKept(images: string, {digest, name, signature}: ContainerImage): boolean {
  const kept = readContainerIfValid(images, digest)?.origin
  if (kept?.reference !== name) return false
  return signature === null || isDeepStrictEqual(kept.signature?.signers, signature.signers)
}

/** As {@link readContainer}; undefined for a damaged record too. */
export function readContainerIfValid(images: string, sha256: Sha256): KeptContainer | undefined {
  try {
    return readContainer(images, sha256)
  } catch (error) {
    if (error instanceof ImageRecordUnreadableError) return undefined
    throw error
  }
}

/** Returns a kept image; undefined without one. @throws {ImageRecordUnreadableError} */
export function readContainer(images: string, sha256: Sha256): KeptContainer | undefined {
  const files = imageFiles(images, sha256)
  const record = readRecordFile(recordPath(files), CONTAINER_FORMAT)
  if (record === undefined || record.sha256 !== sha256) return undefined
  const lastUsedAt = statSync(files.lastUsed, {throwIfNoEntry: false})?.mtime ?? null
  return {...record, evidence: files.evidence, lastUsedAt}
}

/** Returns the kept images of containers, by name and newest first; leaves out damaged ones. */
export async function listContainers(images: string): Promise<KeptContainer[]> {
  const found: KeptContainer[] = []
  for (const entry of await listEntries(images)) {
    if (entry.kind !== 'image' || !isContainerFolder(images, entry.sha256)) continue
    const kept = readContainerIfValid(images, entry.sha256)
    if (kept !== undefined) found.push(kept)
  }
  return found.sort(
    (a, b) =>
      (a.origin.reference < b.origin.reference ? -1 : Number(a.origin.reference > b.origin.reference)) ||
      b.fetchedAt.getTime() - a.fetchedAt.getTime(),
  )
}

/** Returns a kept image in the form in which `envs image list` shows all images. */
export function describeKeptContainer(image: KeptContainer) {
  const {origin, sha256, architecture, sizeBytes, fetchedAt, evidence, lastUsedAt} = image
  return {
    name: origin.reference,
    source: 'oci',
    ...{suite: null, variant: null, architecture},
    version: `sha256:${sha256.slice(0, 12)}`,
    url: origin.reference,
    ...{sha256, sizeBytes, signer: null, signedAt: null, fetchedAt, evidence: null, archive: null},
    ...{container: origin, path: evidence, lastUsedAt},
  }
}

/** Returns the kept images of containers that a word selects: a reference, or a digest or its first 8 digits. */
export async function chooseContainers(images: string, word: string): Promise<KeptContainer[]> {
  const digits = /^(?:sha256:)?(?<digits>[0-9a-f]{8,64})$/.exec(word.toLowerCase())?.groups?.['digits']
  const name = word.replace(/^docker:\/\//, '')
  const names = new Set([word, name, `docker.io/${name}`, `docker.io/library/${name}`])
  return (await listContainers(images)).filter(
    ({origin, sha256}) => names.has(origin.reference) || (digits !== undefined && sha256.startsWith(digits)),
  )
}

import {createHash, randomBytes} from 'node:crypto'
import {constants} from 'node:fs'
import {type FileHandle, open, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Writable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import type {Settings} from '../../config/settings.js'
import {finishSha256, type Sha256} from '../../host/digest.js'
import {makeFolders, namesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {openRegistry} from '../../registry/client.js'
import {registrySettings} from '../../registry/hosts.js'
import {formatReference} from '../../registry/reference.js'
import {withLockedEnvironment} from '../../store/locks.js'
import {openExportNote, sweepExports} from '../export/abandoned.js'
import {explainOutput, findStopped, type LockedEnvironment} from '../export/export.js'
import {type ExportFile, openExportFile} from '../export/output-file.js'
import {type ImageArchive, openImageArchive} from './archive-file.js'
import {copyBlob, isUnavailable} from './base.js'
import {sourceDateEpoch} from './defaults.js'
import {blobPath, composeLayout, type ImageFormat} from './documents.js'
import {type ImageName, imageNames} from './image-name.js'
import {
  type ImageWish,
  openPublication,
  type Publication,
  type PublishedImage,
  type PublishedLayer,
  type PublishProgress,
} from './publication.js'

export type ImageExportRequest = ImageWish & {
  readonly name: string
  /** An absolute path, or a stream that is left open. */
  readonly to: string | Writable
  /** Name of the image in the file, as typed. */
  readonly tag: string | undefined
  /** Whether an existing file is replaced. */
  readonly replaces: boolean
}

export type ImageExportResult = {
  readonly name: string
  /** Null if the file was written to a stream. */
  readonly file: string | null
  readonly format: ImageFormat
  /** Of the file. */
  readonly sha256: Sha256
  readonly sizeBytes: number
  /** Number of the members of all layers. */
  readonly entries: number
  readonly image: PublishedImage & {readonly tags: readonly string[]}
}

export type PublishOptions = {
  readonly settings: Pick<Settings, 'value'>
  readonly signal: AbortSignal
  readonly onProgress: (progress: PublishProgress) => void
}

/**
 * Writes a stopped environment as an image in one file, which podman, Docker, skopeo and others read: an OCI layout that is also
 * what `docker save` writes.
 *
 * @throws {UsageError} @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} @throws {@link environmentBusyError}
 * @throws {@link outputExistsError} @throws {@link exportUnwritableError} @throws {@link outputFullError} @throws {@link outputClosedError}
 * @throws As `planLayers` and `packPlanned`.
 */
export async function exportImage(
  host: Host,
  request: ImageExportRequest,
  options: PublishOptions,
): Promise<ImageExportResult> {
  const names = imageNames(request.tag, request.name)
  sourceDateEpoch(host)
  const find = () => findStopped(host, request.name)
  return withLockedEnvironment(host.paths, 'exclusive', find, async (environment, lock) => {
    const locked = {environment, lock}
    await sweepExports(host)
    const {to} = request
    if (typeof to === 'string') return toFile(host, locked, {request, names, to}, options)
    return toStream(host, locked, {request, names, to}, options)
  })
}

type Target<To> = {
  readonly request: ImageExportRequest
  readonly names: readonly ImageName[]
  readonly to: To
}

async function toFile(
  host: Host,
  locked: LockedEnvironment,
  {request, names, to}: Target<string>,
  options: PublishOptions,
): Promise<ImageExportResult> {
  const note = await openExportNote(host)
  let file: ExportFile | undefined
  try {
    file = await openExportFile(to, {replaces: request.replaces, note})
    const written = await writeArchive(host, locked, {request, names, to: file.handle}, options).catch(
      (error: unknown) => {
        throw explainOutput(error, to)
      },
    )
    await file.handle.sync()
    options.signal.throwIfAborted()
    await file.publish()
    return {name: locked.environment.name, file: to, format: request.format, ...written}
  } finally {
    await file?.discard()
    await note?.remove()
  }
}

const {O_RDWR, O_CREAT, O_EXCL} = constants
const STANDARD_OUTPUT = 'standard output'
const UNNAMED = '.unnamed.'

/** The size of a layer stands before the layer, so a file without a name holds the image first. */
async function toStream(
  host: Host,
  locked: LockedEnvironment,
  {request, names, to}: Target<Writable>,
  options: PublishOptions,
): Promise<ImageExportResult> {
  const file = await openUnnamedFile(host)
  try {
    const written = await writeArchive(host, locked, {request, names, to: file}, options)
    await pipeline(file.createReadStream({start: 0, autoClose: false}), to, {
      signal: options.signal,
      end: false,
    })
    return {name: locked.environment.name, file: null, format: request.format, ...written}
  } catch (error) {
    throw explainOutput(error, STANDARD_OUTPUT)
  } finally {
    await file.close()
  }
}

/** Opens a new file on the disk of the store that has no name any more: nothing is left of a killed command. */
export async function openUnnamedFile({paths}: Pick<Host, 'paths'>): Promise<FileHandle> {
  const folder = join(paths.data, 'exports')
  await makeFolders(folder, {mode: 0o700})
  // A command that was killed right here has left its name; removing that of another is no harm.
  for (const name of namesIn(folder).filter((each) => each.startsWith(UNNAMED)))
    await rm(join(folder, name), {force: true})
  const path = join(folder, `${UNNAMED}${randomBytes(8).toString('hex')}`)
  const file = await open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
  await rm(path, {force: true})
  return file
}

async function writeArchive(
  host: Host,
  locked: LockedEnvironment,
  {request, names, to}: Target<FileHandle>,
  options: PublishOptions,
): Promise<Pick<ImageExportResult, 'sha256' | 'sizeBytes' | 'entries' | 'image'>> {
  const publication = await openPublication(host, locked, request)
  const archive = await openImageArchive(to)
  const layers: PublishedLayer[] = await keptLayers(host, archive, publication, options)
  for (const layer of publication.layers.slice(layers.length === 0 ? 0 : 1)) {
    await archive.stream(async (write) => {
      const packed = await publication.pack(layer, {...options, write})
      if (packed === undefined) return undefined
      layers.push(packed)
      return blobPath(packed.digest)
    })
  }
  const {documents, image} = publication.compose(layers)
  const {architecture} = publication
  for (const [name, content] of composeLayout(documents, {layers, names, architecture}))
    await archive.file(name, content)
  const sizeBytes = await archive.finish()
  const hash = createHash('sha256')
  for await (const chunk of to.createReadStream({start: 0, autoClose: false})) hash.update(chunk)
  return {
    sha256: finishSha256(hash),
    sizeBytes,
    entries: layers.reduce((sum, {entries = 0}) => sum + entries, 0),
    image: {...image, tags: names.map(({name}) => name)},
  }
}

/** Writes the layers of the image below as they were published; none if they can't be had any more. */
async function keptLayers(
  host: Host,
  archive: ImageArchive,
  {base}: Publication,
  {signal, onProgress, settings}: PublishOptions,
): Promise<PublishedLayer[]> {
  if (base === undefined) return []
  const source = openRegistry(base.reference, {
    settings: registrySettings(settings),
    host,
    signal,
    actions: 'pull',
  })
  try {
    return await archive.attempt(async () => {
      const layers: PublishedLayer[] = []
      for (const [index, {named, blob}] of base.layers.entries()) {
        await archive.stream(async (write) => {
          const place = {layer: index + 1, layers: base.layers.length, totalBytes: blob.size}
          const onBytes = (bytes: number) => onProgress({stage: 'copy', ...place, bytes})
          await copyBlob(source, blob, {write, signal, onBytes})
          return blobPath(blob.digest)
        })
        layers.push({...named, entries: undefined, history: undefined})
      }
      return layers
    })
  } catch (error) {
    if (!isUnavailable(error)) throw error
    onProgress({stage: 'repack', image: formatReference(base.reference), reason: error.message})
    return []
  } finally {
    await source.close()
  }
}

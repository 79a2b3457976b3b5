import {stat} from 'node:fs/promises'
import type {DebArchitecture} from '../host/architecture.js'
import type {Sha256} from '../host/digest.js'
import {digestMismatchError} from '../host/errors.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {readCatalogue} from './catalog/catalogue.js'
import {openDigestMemory} from './digest-memory.js'
import {UnknownImageError, unknownImageError} from './errors.js'
import {openFileImage} from './file-image.js'
import {parseImageName} from './image-name.js'
import {openNamedImage} from './named-image.js'
import type {OpenedImage} from './opened-image.js'
import type {ImageQuery} from './published-image.js'
import {hasArchiveSuffix, type ImageReference} from './reference.js'
import {type Resolution, resolveImage} from './resolve-image.js'
import type {ImageContext} from './sources/source.js'
import {openStandardInputImage, type StandardInput} from './stream-image.js'
import {openUrlImage} from './url-image.js'

export type OpenImageOptions = {
  /** What the image must be; without it, whatever comes from a file or a URL is said to be unverified. */
  readonly sha256?: Sha256 | undefined
  /** The user's cache folder; downloads that are not kept lie below it. */
  readonly cacheFolder: string
  /** The folder of kept images. */
  readonly images: string
  readonly architecture: DebArchitecture
  readonly context: ImageContext
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Told what a name stands for, before anything is fetched. */
  readonly onResolved?: ((resolution: Resolution) => void) | undefined
  /** Told that the image of a name has come whole, and is kept. */
  readonly onStored?: (() => void) | undefined
  readonly standardInput?: StandardInput | undefined
}

/**
 * Gets hold of an image's bytes, what has to be fetched as soon as the first of them are here. The caller
 * closes what it is given.
 *
 * @throws {UnknownImageError}
 * @throws {ImageNotFoundError}
 * @throws {@link notAnImageFileError}
 * @throws {@link imageUnreadableError}
 * @throws {NetworkError}
 * @throws {DigestMismatchError}
 * @throws As `resolveImage`, for a name.
 */
export async function openImage(reference: ImageReference, options: OpenImageOptions): Promise<OpenedImage> {
  const {sha256, context} = options
  switch (reference.kind) {
    case 'standard-input':
      return openStandardInputImage(options.standardInput ?? process.stdin, {sha256})
    case 'file':
      return openFileImage(reference.path, {
        source: reference.path,
        sha256,
        digests: openDigestMemory(options.cacheFolder),
      })
    case 'url': {
      const {environment, signal} = context
      return openUrlImage(reference.url, {...options, environment, signal})
    }
    case 'name': {
      const resolution = await resolveImage(await queryFor(reference, options), options)
      const {image} = resolution
      if (sha256 !== undefined && sha256 !== image.sha256) {
        throw digestMismatchError({source: image.name, expected: sha256, actual: image.sha256})
      }
      options.onResolved?.(resolution)
      return openNamedImage(resolution, options)
    }
  }
}

/** @throws {UnknownImageError} @throws {VariantNotYetError} */
export async function queryFor(
  reference: ImageReference & {kind: 'name'},
  {architecture, context}: Pick<OpenImageOptions, 'architecture' | 'context'>,
): Promise<ImageQuery> {
  const catalogue = await readCatalogue()
  try {
    return parseImageName(reference.text, {catalogue, architecture, now: context.now})
  } catch (error) {
    const hints = error instanceof UnknownImageError ? await fileHints(reference) : []
    throw hints.length === 0 ? error : unknownImageError({name: reference.text}, {suggestions: hints})
  }
}

/** What to do where a file was meant; nothing where it does not look so. */
async function fileHints({sameNamedFile, text}: ImageReference & {kind: 'name'}): Promise<string[]> {
  if (await isThere(sameNamedFile)) return [`To use the file of that name, write ./${text}`]
  if (hasArchiveSuffix(text))
    return [`To use a file, give its path, such as ./${text}; there is no such file here.`]
  return []
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

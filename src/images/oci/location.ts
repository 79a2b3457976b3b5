import {statSync} from 'node:fs'
import {basename} from 'node:path'
import {unlessErrno} from '../../host/errno.js'
import type {BlobSource} from '../../registry/blob-source.js'
import {formatReference, type RegistryReference} from '../../registry/reference.js'
import {noFileError} from '../errors.js'
import {openDockerArchive} from './docker-archive.js'
import {notImageFolderError} from './errors.js'
import {openArchiveFiles, openFolderFiles} from './files.js'
import {openLayout} from './layout.js'

/** Where an image of containers is. `path` is absolute. */
export type ContainerLocation =
  | {readonly kind: 'registry'; readonly reference: RegistryReference}
  | LocalLocation

export type LocalLocation = {
  /** `folder`: an OCI layout; `archive`: a tar archive of one, or of `docker save`, compressed or not. */
  readonly kind: 'folder' | 'archive'
  readonly path: string
  /** Name of the image in it; undefined for the only one. */
  readonly tag: string | undefined
}

/** Suffixes of tarballs, to derive names; the format is detected by the first bytes, never by the suffix. */
export const ARCHIVE_SUFFIX = /(\.tar)?\.(gz|xz|zst|zstd|bz2)$|\.(tar|tgz|txz|tzst|tbz2?)$/i

/** Returns the location as `envs create` accepts it. */
export function formatLocation(location: ContainerLocation): string {
  if (location.kind === 'registry') return formatReference(location.reference)
  const {kind, path, tag} = location
  return [kind === 'folder' ? 'oci' : 'oci-archive', path, ...(tag === undefined ? [] : [tag])].join(':')
}

/** Returns a short name for an environment: the last part of the repository or of the path, with the tag. */
export function shortNameOf(location: ContainerLocation): string {
  const [name, tag] =
    location.kind === 'registry'
      ? [basename(location.reference.repository), location.reference.tag]
      : [basename(location.path).replace(ARCHIVE_SUFFIX, ''), location.tag]
  const last = tag?.slice(tag.lastIndexOf('/') + 1)
  return last === undefined || last === 'latest' ? name : `${name}-${last}`
}

/**
 * Opens a folder or an archive.
 *
 * @param options.copyFolder - Has room for what a compressed archive contains.
 * @throws {@link notImageFolderError} @throws {ImageNotFoundError} @throws As `openPlainArchive`.
 */
export async function openLocal(
  {kind, path}: LocalLocation,
  {copyFolder}: {readonly copyFolder?: string | undefined},
): Promise<BlobSource> {
  const status = unlessErrno(() => statSync(path), 'ENOENT', 'ENOTDIR')
  if (status === undefined) throw noFileError(path)
  if (kind === 'folder') {
    if (!status.isDirectory()) throw notImageFolderError({path, reason: 'it is not a folder'})
    return openLayout(openFolderFiles(path), {path, scheme: 'oci'})
  }
  if (!status.isFile()) throw notImageFolderError({path, reason: 'it is not a regular file'})
  const {openPlainArchive} = await import('./compressed-archive.js')
  const plain = await openPlainArchive(path, {folder: copyFolder})
  try {
    const files = openArchiveFiles(plain.path, path)
    // Docker writes both since version 25: the layout has the digests of the compressed layers.
    const source =
      files.sizeOf('index.json') === undefined
        ? await openDockerArchive(files, path)
        : await openLayout(files, {path, scheme: 'oci-archive'})
    return {...source, close: async () => plain.close()}
  } catch (error) {
    plain.close()
    throw error
  }
}

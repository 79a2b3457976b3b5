import * as v from 'valibot'
import {parseIfValid} from '../../host/records.js'
import type {BlobSource} from '../../registry/blob-source.js'
import {type Descriptor, descriptorField, isOciDigest, type OciDigest} from '../../registry/descriptor.js'
import {imageNotInFolderError, notImageFolderError, severalImagesError} from './errors.js'
import type {ImageFiles} from './files.js'

/** Annotations with the name of an image: of OCI, and of containerd and Docker. */
const REF_NAME = 'org.opencontainers.image.ref.name'
const CONTAINERD_NAME = 'io.containerd.image.name'

const layoutSchema = v.object({manifests: v.pipe(v.array(descriptorField), v.maxLength(10_000))})

type LayoutOptions = {
  /** As the user wrote it, for messages. */
  readonly path: string
  /** The scheme before the path, for messages: `oci`. */
  readonly scheme: string
}

/**
 * Opens an OCI layout: a folder, or an archive of one.
 *
 * @throws {@link notImageFolderError}
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export async function openLayout(files: ImageFiles, {path, scheme}: LayoutOptions): Promise<BlobSource> {
  const index = parseIfValid((await files.read('index.json')).toString('utf8'), layoutSchema)
  if (index === undefined) throw notImageFolderError({path, reason: 'its index.json is malformed'})
  const {manifests} = index

  function choose(which: string | undefined): Descriptor {
    if (which !== undefined && isOciDigest(which))
      return manifests.find(({digest}) => digest === which) ?? {digest: which, mediaType: '', size: 0}
    const named = which === undefined ? manifests : manifests.filter((each) => namesOf(each).includes(which))
    const tags = manifests.flatMap((each) => namesOf(each)[0] ?? []).join(', ') || 'images without names'
    const [first, ...others] = named
    if (first === undefined) throw imageNotInFolderError({tag: which ?? 'latest', path, tags})
    const latest = named.find((each) => namesOf(each).includes('latest'))
    if (others.length === 0 || new Set(named.map(({digest}) => digest)).size === 1) return first
    if (which === undefined && latest !== undefined) return latest
    throw severalImagesError({path, tags, example: `${scheme}:${path}:${namesOf(first)[0] ?? 'TAG'}`})
  }

  return {
    async manifest(which) {
      const {digest, mediaType} = choose(which)
      const bytes = await files.read(blobPath(digest))
      return {bytes, digest, mediaType: mediaType === '' ? undefined : mediaType}
    },
    async blob({digest}, options) {
      return files.open(blobPath(digest), options)
    },
    async referrers() {
      return []
    },
    async close() {},
  }
}

/** Returns the names of an image; the last part of a name with a registry is one too: `12` of `docker.io/library/debian:12`. */
function namesOf({annotations = {}}: Descriptor): string[] {
  const names = [annotations[REF_NAME], annotations[CONTAINERD_NAME]].filter((name) => name !== undefined)
  return [...new Set(names.flatMap((name) => [name, name.slice(name.lastIndexOf(':') + 1)]))]
}

function blobPath(digest: OciDigest): string {
  return `blobs/${digest.replace(':', '/')}`
}

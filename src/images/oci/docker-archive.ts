import * as v from 'valibot'
import {parseIfValid} from '../../host/records.js'
import type {BlobSource} from '../../registry/blob-source.js'
import {ociDigestOf} from '../../registry/descriptor.js'
import {MEDIA_TYPES, parseImageConfig} from '../../registry/manifest.js'
import {imageNotInFolderError, notImageFolderError, severalImagesError} from './errors.js'
import type {ImageFiles} from './files.js'

const archiveSchema = v.array(
  v.object({
    Config: v.string(),
    RepoTags: v.nullish(v.array(v.string()), []),
    Layers: v.pipe(v.array(v.string()), v.maxLength(500)),
  }),
)

const PLAIN_LAYER = 'application/vnd.oci.image.layer.v1.tar'

/**
 * Opens what `docker save` wrote before its version 25, and podman still writes: a list of images, each with a configuration and
 * uncompressed layers.
 *
 * Such an archive has no manifest. The returned one names each layer by its diffID, and is the same for the same image.
 *
 * @throws {@link notImageFolderError}
 */
export async function openDockerArchive(files: ImageFiles, path: string): Promise<BlobSource> {
  const images = parseIfValid((await files.read('manifest.json')).toString('utf8'), archiveSchema)
  if (images === undefined) throw notImageFolderError({path, reason: 'its manifest.json is malformed'})
  const places = new Map<string, string>()

  function choose(which: string | undefined) {
    const named = which === undefined ? images : images?.filter(({RepoTags}) => RepoTags.some(isNamed(which)))
    const tags = images?.flatMap(({RepoTags}) => RepoTags).join(', ') || 'images without names'
    const [image, ...others] = named ?? []
    if (image === undefined) throw imageNotInFolderError({tag: which ?? 'latest', path, tags})
    if (others.length === 0) return image
    throw severalImagesError({
      path,
      tags,
      example: `docker-archive:${path}:${image.RepoTags[0] ?? 'NAME:TAG'}`,
    })
  }

  return {
    async manifest(which) {
      const image = choose(which)
      const config = await files.read(image.Config)
      const {diffIds} = parseImageConfig(config, path)
      if (diffIds.length !== image.Layers.length)
        throw notImageFolderError({path, reason: 'its configuration does not fit its layers'})
      const layers = diffIds.map((digest, index) => {
        const place = image.Layers[index] ?? ''
        places.set(digest, place)
        return {mediaType: PLAIN_LAYER, digest, size: files.sizeOf(place) ?? 0}
      })
      const configDigest = ociDigestOf(config)
      places.set(configDigest, image.Config)
      const [mediaType] = MEDIA_TYPES.image
      const own = {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: configDigest,
        size: config.length,
      }
      const bytes = Buffer.from(JSON.stringify({schemaVersion: 2, mediaType, config: own, layers}))
      return {bytes, mediaType, digest: ociDigestOf(bytes)}
    },
    async blob({digest}, options) {
      return files.open(places.get(digest) ?? digest, options)
    },
    async referrers() {
      return []
    },
    async close() {},
  }
}

/** `debian:12` and `12` name `docker.io/library/debian:12`. */
function isNamed(which: string): (tag: string) => boolean {
  return (tag) => tag === which || tag.endsWith(`/${which}`) || tag.endsWith(`:${which}`)
}

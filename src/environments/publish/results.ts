import * as v from 'valibot'
import {countField, described, digestField, ownNameField} from '../../host/result-fields.js'

const ociDigestResult = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/))

/** An image that was made from an environment. */
const publishedImageFields = {
  digest: described(ociDigestResult, 'of the manifest'),
  configDigest: ociDigestResult,
  layers: v.array(
    v.object({
      digest: described(ociDigestResult, 'of the compressed layer'),
      diffId: described(ociDigestResult, 'of the layer without its compression'),
      sizeBytes: countField,
      entries: described(v.nullable(countField), 'null for a layer of the image below that was not packed'),
    }),
  ),
}

const exportedImageResult = v.object({...publishedImageFields, tags: v.array(v.string())})

export const exportResult = v.object({
  name: ownNameField,
  file: v.string(),
  format: v.picklist(['tar', 'gz', 'xz', 'zst', 'oci', 'docker']),
  sha256: digestField,
  sizeBytes: countField,
  entries: countField,
  image: v.exactOptional(described(exportedImageResult, 'with the formats oci and docker')),
})

export const pushResult = v.object({
  name: ownNameField,
  reference: described(v.string(), 'whole name of the image'),
  ...publishedImageFields,
  blobs: described(
    v.array(
      v.object({
        digest: ociDigestResult,
        sizeBytes: countField,
        how: v.picklist(['there', 'mounted', 'sent']),
      }),
    ),
    'layers and configuration, and how the registry got them',
  ),
})

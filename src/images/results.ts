import * as v from 'valibot'
import type {RecordOf} from '../host/records.js'
import {architectureField, countField, dateField, described, digestField} from '../host/result-fields.js'

export const signerResult = described(
  v.object({fingerprint: v.string(), name: v.string()}),
  'Owner of the key that signed.',
)

export const archiveResult = described(
  v.object({
    ingredients: described(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), 'of all inputs of the build'),
    variant: v.picklist(['minbase', 'standard']),
    include: described(v.array(v.string()), 'additional packages that were requested'),
    components: v.array(v.string()),
    pockets: v.array(
      v.object({
        suite: v.string(),
        mirror: described(v.string(), 'URL, without secrets'),
        inReleaseSha256: digestField,
        date: dateField,
        validUntil: v.nullable(dateField),
        signer: signerResult,
      }),
    ),
    packages: v.array(v.object({name: v.string(), version: v.string(), architecture: v.string()})),
  }),
  'The origin of an image that was built from packages.',
)

const ociDigestResult = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/))

const signatureResult = described(
  v.object({
    digest: described(ociDigestResult, 'of the manifest or the list of platforms'),
    signers: v.array(
      v.variant('kind', [
        described(
          v.object({
            kind: v.literal('key'),
            fingerprint: described(v.string(), 'SHA-256 digest of the public key'),
            name: described(v.string(), 'path of the key, or its place in the policy'),
          }),
          'signed by a key',
        ),
        described(
          v.object({
            kind: v.literal('identity'),
            issuer: described(v.string(), 'URL of the service that identified the signer'),
            subject: described(v.string(), 'address or URL of the signer'),
          }),
          'signed by an identity, without a key',
        ),
      ]),
    ),
    policy: v.nullable(v.object({file: v.string(), scope: v.string()})),
  }),
  'The signatures that were demanded and found.',
)

export const containerResult = described(
  v.object({
    reference: described(v.string(), 'as envs create accepts it'),
    index: described(v.nullable(ociDigestResult), 'of the list of platforms'),
    manifest: ociDigestResult,
    configuration: ociDigestResult,
    platform: described(v.string(), 'such as linux/amd64'),
    signature: described(v.nullable(signatureResult), 'null if no signature was demanded'),
    registry: described(v.nullable(v.string()), 'host that answered; null for a folder or a file'),
    config: described(
      v.object({
        env: v.array(v.string()),
        workingFolder: v.nullable(v.string()),
        user: v.nullable(v.string()),
        entrypoint: v.array(v.string()),
        command: v.array(v.string()),
        labels: v.record(v.string(), v.string()),
        ports: v.array(v.string()),
        volumes: v.array(v.string()),
        stopSignal: v.nullable(v.string()),
      }),
      'from the configuration of the image',
    ),
  }),
  'An image of containers: its digests and its configuration.',
)

const keptImageEntries = {
  name: v.string(),
  source: v.string(),
  suite: described(
    v.nullable(v.string()),
    'null for an image of containers, as are the next ones that can be null',
  ),
  variant: v.nullable(v.string()),
  architecture: architectureField,
  version: v.string(),
  url: v.string(),
  sha256: digestField,
  sizeBytes: countField,
  signer: v.nullable(signerResult),
  signedAt: v.nullable(dateField),
  fetchedAt: dateField,
  evidence: v.nullable(v.object({url: v.string(), listing: v.string(), signature: v.nullable(v.string())})),
  archive: v.nullable(archiveResult),
  container: described(v.nullable(containerResult), 'null for any other image'),
  path: v.string(),
  lastUsedAt: v.nullable(dateField),
  usedBy: described(v.array(v.string()), 'environments made from it'),
}

export const imageListResult = v.array(v.object(keptImageEntries))
export type ImageListResult = RecordOf<typeof imageListResult>

export const imageDetailsResult = v.object({
  ...keptImageEntries,
  trust: described(
    v.picklist(['signed', 'registry', 'digest', 'unverified']),
    'what vouched for the digest when the image was fetched',
  ),
  layers: described(
    v.nullable(
      v.array(
        v.object({
          diffId: described(v.string(), 'SHA-256 digest without the compression'),
          digest: digestField,
          sizeBytes: described(countField, 'as the registry stores it'),
          mediaType: v.string(),
          sharedWith: described(v.array(v.string()), 'other cached images with this layer'),
        }),
      ),
    ),
    'of an image of containers, the lowest first',
  ),
})
export type ImageDetails = RecordOf<typeof imageDetailsResult>

export const pulledImageResult = v.object({
  name: v.string(),
  version: v.string(),
  source: v.string(),
  architecture: architectureField,
  url: described(v.string(), 'without secrets'),
  sha256: described(v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))), 'null if not known yet'),
  sizeBytes: described(v.nullable(countField), 'null if not known before the download'),
  signer: described(v.nullable(signerResult), 'null for an image of containers, as is signedAt'),
  signedAt: v.nullable(dateField),
  wasKept: described(v.boolean(), 'the image was already cached'),
  dryRun: v.boolean(),
})
export type PulledImageResult = RecordOf<typeof pulledImageResult>

export const imageSearchResult = v.object({
  images: v.array(
    v.object({
      name: v.string(),
      source: v.string(),
      distribution: v.string(),
      suite: v.string(),
      version: v.nullable(v.string()),
      variant: v.string(),
      architecture: architectureField,
      serial: v.nullable(v.string()),
      sizeBytes: v.nullable(countField),
      eol: v.nullable(dateField),
      isEol: v.boolean(),
      origin: v.picklist(['online', 'catalogue']),
    }),
  ),
  unreachable: v.array(v.object({source: v.string(), mirror: v.string(), reason: v.string()})),
  nearest: described(v.array(v.string()), 'similar names if nothing was found'),
  registry: described(
    v.nullable(v.object({host: v.string(), names: v.array(v.string())})),
    'repositories or tags of a container registry; null if none was searched',
  ),
})
export type ImageSearchResult = RecordOf<typeof imageSearchResult>

export const imagePruneResult = v.object({
  dryRun: v.boolean(),
  freedBytes: countField,
  pruned: v.array(
    v.object({
      sha256: digestField,
      name: v.nullable(v.string()),
      version: v.nullable(v.string()),
      sizeBytes: countField,
      reason: v.picklist(['superseded', 'unused', 'unfinished', 'damaged']),
      lastUsedAt: v.nullable(dateField),
    }),
  ),
})
export type ImagePruneResult = RecordOf<typeof imagePruneResult>

export const imageRemovalResult = v.object({
  removed: v.array(v.object({name: v.string(), version: v.string(), sha256: digestField})),
})
export type ImageRemovalResult = RecordOf<typeof imageRemovalResult>

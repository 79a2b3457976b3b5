import type {Readable} from 'node:stream'
import type {BlobSource} from './blob-source.js'
import type {Descriptor, OciDigest} from './descriptor.js'
import type {RegistryReference} from './reference.js'

/** A repository of a registry, whose blobs and manifests can be read and written. */
export type Repository = BlobSource & {
  readonly reference: RegistryReference
  /** The host that answered last: the registry, or its mirror. */
  readonly answeredBy: string
  /** Returns the digest of a manifest without its bytes, which registries do not count as a pull; undefined without one. */
  head(which: string | undefined): Promise<OciDigest | undefined>
  hasBlob(digest: OciDigest): Promise<boolean>
  /** Returns whether the registry took the blob from another of its repositories. */
  mountBlob(digest: OciDigest, from: string): Promise<boolean>
  pushBlob(descriptor: Descriptor, body: () => Readable): Promise<void>
  pushManifest(bytes: Buffer, mediaType: string, tagOrDigest: string): Promise<OciDigest>
  tags(): Promise<readonly string[]>
}

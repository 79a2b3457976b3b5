import type {Host} from '../host/host.js'
import type {OpenedImage} from '../images/opened-image.js'
import type {TreeNote} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import type {LayerId} from '../storage/layer-id.js'
import type {FreshTree} from './archive-image.js'
import type {CreateRequest} from './create-request.js'
import type {Unpacked, UnpackProgress} from './unpack.js'

/** What the files of a new environment are made from, and where. */
export type NewTreePlan = {
  readonly host: Host
  readonly request: CreateRequest
  readonly identity: Identity
  /** The folder that becomes the environment. */
  readonly partial: string
  readonly signal: AbortSignal
  /** Takes the tree that the image was just made of, where there is one. */
  readonly takeTree: () => FreshTree | undefined
}

export type SettledTree = {
  readonly sizeBytes: number
  /** What it writes to, where that is a layer. */
  readonly layer?: LayerId
  /** What is worth telling of the tree. */
  readonly notes: readonly TreeNote[]
}

/** The files of an environment that is being made, as its storage keeps them. `close` must be called. */
export type NewTree = {
  /** Says that the image is here: what has to be waited for can begin. */
  prepare(): void
  /** Unpacks the image, unless that was done for another environment. @throws As `unpackImage`. */
  unpack(image: OpenedImage, onProgress: (event: UnpackProgress) => void): Promise<Unpacked>
  /** Makes of it what is the environment's own, in `partial`. */
  settle(): Promise<SettledTree>
  /** Settles when what lies elsewhere is on the disk, if that is asked for. */
  onDisk(): Promise<void>
  /** Takes away what lies elsewhere. */
  discard(): Promise<void>
  close(): Promise<void>
}

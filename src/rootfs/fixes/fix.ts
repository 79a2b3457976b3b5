import type {ArchiveFacts} from '../apt/archives.js'
import type {TreeView} from './tree-view.js'

/** Facts that differ between environments. */
export type Facts = {
  /** The environment's name, which is also its hostname. */
  readonly name: string
  /** 32 hexadecimal digits. @see machine-id(5) */
  readonly machineId: string
  /** Whether changes of owner and of user are real. */
  readonly identity: 'mapped' | 'emulated'
  /** Classic BPF that makes syncs succeed at once; base64. @see seccomp(2) */
  readonly syncFilter: string
  readonly archives: ArchiveFacts
}

/** One change to a tree. Paths are relative to its root; links on the way are followed inside it. */
export type Edit =
  | {readonly kind: 'file'; readonly path: string; readonly content: Buffer; readonly mode: number}
  | {readonly kind: 'link'; readonly path: string; readonly target: string}
  | {readonly kind: 'folder'; readonly path: string; readonly mode: number}
  /** Removes a file or a link. */
  | {readonly kind: 'removal'; readonly path: string}

/** A named edit of a rootfs after extraction. It is idempotent. */
export type Fix = {
  readonly name: string
  readonly describe: string
  plan(tree: TreeView, facts: Facts): Edit[]
}

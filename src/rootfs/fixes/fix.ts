import type {ArchiveFacts} from '../apt/archives.js'
import type {TreeView} from './tree-view.js'

/** What fixes need to know that is not the same for every environment. */
export type Facts = {
  /** The environment's name, which is its host name too. */
  readonly name: string
  /** 32 hexadecimal digits. @see machine-id(5) */
  readonly machineId: string
  /** Whether changes of owner and of user are real in it. */
  readonly identity: 'mapped' | 'emulated'
  /** Classic BPF by which syncs succeed at once; base64. @see seccomp(2) */
  readonly syncFilter: string
  readonly archives: ArchiveFacts
}

/** One change to a tree. Paths are relative to its root; links on the way are followed inside it. */
export type Edit =
  | {readonly kind: 'file'; readonly path: string; readonly content: Buffer; readonly mode: number}
  | {readonly kind: 'link'; readonly path: string; readonly target: string}
  | {readonly kind: 'folder'; readonly path: string; readonly mode: number}
  /** Of a file or a link that is there. */
  | {readonly kind: 'removal'; readonly path: string}

/** A named edit of a rootfs after extraction. Planning it again on its own result changes nothing. */
export type Fix = {
  readonly name: string
  readonly describe: string
  plan(tree: TreeView, facts: Facts): Edit[]
}

import {readFileSync} from 'node:fs'
import {templatePath} from '../../host/paths.js'
import type {ArchiveFacts} from './apt-sources.js'
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

/**
 * Fills the `{{slots}}` of a file of `templates/rootfs/`.
 *
 * @throws {Error} On a slot without a value: the template and its fix disagree.
 */
export function fillTemplate(name: string, values: Readonly<Record<string, string>> = {}): Buffer {
  const text = readFileSync(templatePath(`rootfs/${name}`), 'utf8')
  return Buffer.from(
    text.replace(/\{\{(\w+)\}\}/g, (_, slot: string) => {
      const value = values[slot]
      if (value === undefined) throw new Error(`template ${name} has no value for ${slot}`)
      return value
    }),
  )
}

import type {DeviceNode} from '../tar/member.js'
import {asText, fieldsOf} from '../worker-fields.js'

/** Metadata of the image that the tree could not get. */
export type Loss = 'owner' | 'capability' | 'device'

export type LedgerKind = 'file' | 'folder' | 'symlink' | 'fifo' | 'device'

/** A file of a tree that lacks the owner, capability or device node of the archive. */
export type LedgerEntry = {
  /**
   * Real path relative to the root, with links on the way resolved: a byte string (latin1, one character a
   * byte).
   */
  readonly path: string
  readonly kind: LedgerKind
  /** The intended owner. */
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /**
   * `security.capability`, in base64; recorded even if the tree has it, because a change of owner removes it.
   */
  readonly capability?: string
  readonly device?: DeviceNode
  readonly lost: readonly Loss[]
}

const KINDS: readonly LedgerKind[] = ['file', 'folder', 'symlink', 'fifo', 'device']
const LOSSES: readonly Loss[] = ['owner', 'capability', 'device']

/** Formats one line of a journal, without its end. */
export function formatEntry({mode, ...entry}: LedgerEntry): string {
  return JSON.stringify({...entry, mode: mode.toString(8).padStart(4, '0')})
}

/** @throws {Error} If the line is malformed. */
export function parseEntry(line: string): LedgerEntry {
  const fields = fieldsOf(JSON.parse(line))
  return {
    path: fields.text('path'),
    kind: oneOf(KINDS, fields.text('kind')),
    uid: fields.number('uid'),
    gid: fields.number('gid'),
    mode: Number.parseInt(fields.text('mode'), 8),
    ...(fields.has('capability') ? {capability: fields.text('capability')} : {}),
    ...(fields.has('device') ? {device: parseDevice(fields.value('device'))} : {}),
    lost: fields.list('lost').map((loss) => oneOf(LOSSES, asText(loss))),
  }
}

function parseDevice(value: unknown): DeviceNode {
  const {text, number} = fieldsOf(value)
  return {type: oneOf(['char', 'block'], text('type')), major: number('major'), minor: number('minor')}
}

function oneOf<const T extends string>(known: readonly T[], text: string): T {
  const found = known.find((word) => word === text)
  if (found === undefined) throw new Error(`${text} is not one of ${known.join(', ')}`)
  return found
}

import type {DeviceNode} from '../tar/member.js'
import {asText, fieldsOf} from '../worker-fields.js'

/** What the image gave a file, and the tree could not. */
export type Loss = 'owner' | 'capability' | 'device'

export type LedgerKind = 'file' | 'folder' | 'symlink' | 'fifo' | 'device'

/** A file of a tree whose owner, capability or device node the archive has and the tree has not. */
export type LedgerEntry = {
  /** Where it lies below the root, links on the way resolved: a byte string (latin1, one character a byte). */
  readonly path: string
  readonly kind: LedgerKind
  /** The owner that it was to have. */
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** `security.capability`, in base64; also where the tree has it, for a change of owner takes it away. */
  readonly capability?: string
  readonly device?: DeviceNode
  readonly lost: readonly Loss[]
}

const KINDS: readonly LedgerKind[] = ['file', 'folder', 'symlink', 'fifo', 'device']
const LOSSES: readonly Loss[] = ['owner', 'capability', 'device']

/** One line of a ledger, without its end. */
export function formatEntry({mode, ...entry}: LedgerEntry): string {
  return JSON.stringify({...entry, mode: mode.toString(8).padStart(4, '0')})
}

/** @throws {Error} When the line is none. */
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

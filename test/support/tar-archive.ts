import {Header} from 'tar/header'

const BLOCK_BYTES = 512

type RawMember = {
  /** One character a byte. */
  readonly name: string
  readonly type?: string
  readonly data?: Buffer | string
  readonly target?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Seconds since 1970. */
  readonly modified?: number
  /** What the header claims, where it is not the length of the data. */
  readonly sizeBytes?: number
  /** Bytes written over the finished header, by offset; the checksum is made right again. */
  readonly patches?: Readonly<Record<number, Buffer>>
}

/** A member from its parts: a header of `tar`'s own making, then the data padded to whole blocks. */
export function tarMember(member: RawMember): Buffer {
  const data = Buffer.from(member.data ?? '')
  const block = Buffer.alloc(BLOCK_BYTES)
  new Header({
    gid: member.gid ?? process.getgid?.() ?? 0,
    mode: member.mode ?? 0o644,
    mtime: new Date((member.modified ?? 1_700_000_000) * 1000),
    path: 'name',
    size: member.sizeBytes ?? data.length,
    type: 'File',
    uid: member.uid ?? process.getuid?.() ?? 0,
  }).encode(block)
  block.fill(0, 0, 100).write(member.name, 0, 100, 'latin1')
  block.write(member.type ?? '0', 156, 'latin1')
  block.write(member.target ?? '', 157, 100, 'latin1')
  for (const [offset, bytes] of Object.entries(member.patches ?? {})) bytes.copy(block, Number(offset))
  sign(block)
  return Buffer.concat([block, padded(data)])
}

/** Makes the checksum of a header right again. */
function sign(block: Buffer): void {
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK_BYTES - (data.length % BLOCK_BYTES)) % BLOCK_BYTES)])
}

/** A pax header for the next member; values one character a byte. */
export function paxHeader(records: readonly (readonly [string, string])[], type: 'g' | 'x' = 'x'): Buffer {
  const data = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)))
  return tarMember({data, name: 'PaxHeaders/x', type})
}

function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.from(`${length}${rest}`, 'latin1')
}

/** GNU's header for a name (`L`) or link target (`K`) too long for the next one. */
export function gnuLongText(type: 'K' | 'L', text: string): Buffer {
  return tarMember({data: Buffer.from(`${text}\0`, 'latin1'), name: '././@LongLink', type})
}

/** Members in their order with the end marker behind them. */
export function tarArchive(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([...members, Buffer.alloc(2 * BLOCK_BYTES)])
}

/** A folder, a link and a file, as most attacks are made of them. */
export const folder = (name: string, mode = 0o755): Buffer => tarMember({mode, name, type: '5'})
export const symlink = (name: string, target: string): Buffer => tarMember({name, target, type: '2'})
export const hardlink = (name: string, target: string): Buffer => tarMember({name, target, type: '1'})
export const file = (name: string, data = 'data'): Buffer => tarMember({data, name})

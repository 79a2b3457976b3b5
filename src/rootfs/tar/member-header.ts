import {refusedMemberError} from '../errors.js'
import type {HeaderBlock} from './header-block.js'
import type {DeviceNode, Member} from './member.js'
import type {PaxRecords} from './pax-records.js'

/** Extension headers that modify the next header. */
export type Preface = {
  readonly records: PaxRecords
  readonly longName?: string | undefined
  readonly longTarget?: string | undefined
}

type Kind = Member['kind']

const KINDS: Readonly<Record<string, Kind>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'fifo',
  '7': 'file',
  D: 'folder',
  S: 'file',
}

const NO_DEVICE: DeviceNode = {type: 'char', major: 0, minor: 0}

/**
 * Combines a header and its extensions. A file has `storedBytes` of data; other kinds have none, regardless
 * of their size field, as in GNU tar.
 *
 * @throws {@link refusedMemberError} When the type is none a rootfs can hold.
 */
export function describeMember(header: HeaderBlock, {records, longName, longTarget}: Preface): Member {
  const name = records.sparse?.name ?? records.path ?? longName ?? header.name
  const kind = kindOf(header.type, name)
  const {mode} = header
  const uid = records.uid ?? header.uid
  const gid = records.gid ?? header.gid
  const modified = records.modified ?? header.modified
  switch (kind) {
    case 'file': {
      const sizeBytes = records.sizeBytes ?? header.sizeBytes
      const {capability} = records
      return {kind, name, mode, uid, gid, modified, sizeBytes, storedBytes: sizeBytes, capability}
    }
    case 'symlink':
    case 'hardlink':
      return {kind, name, mode, uid, gid, modified, target: records.linkpath ?? longTarget ?? header.target}
    case 'folder':
    case 'fifo':
      return {kind, name, mode, uid, gid, modified}
    case 'device':
      return {kind, name, mode, uid, gid, modified, device: header.device ?? NO_DEVICE}
  }
}

function kindOf(type: string, name: string): Kind {
  const kind = KINDS[type]
  if (kind === undefined)
    throw refusedMemberError({member: name, reason: `its type ${JSON.stringify(type)} is not supported`})
  // Before POSIX, a folder was a file whose name ends in a slash.
  return kind === 'file' && name.endsWith('/') ? 'folder' : kind
}

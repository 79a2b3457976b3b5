import {asText, type Fields, fieldsOf} from '../worker-fields.js'
import type {GroupChange, UserChange} from './accounts.js'
import {LEFT_OUT_GROUPS} from './file-group.js'
import type {PackageChanges, PackageMove, PackageVersion} from './packages.js'
import type {FileChange, LeftOut, TreeDifference} from './report.js'
import type {ServiceChange} from './services.js'

const CHANGES = ['added', 'changed', 'removed'] as const
const KINDS = ['file', 'folder', 'symlink', 'fifo', 'socket', 'device'] as const
const ASPECTS = ['kind', 'content', 'target', 'mode', 'owner', 'capability'] as const

/** @throws {Error} The worker is this program: an unexpected value is a bug. */
export function parseDifference(value: unknown): TreeDifference {
  const fields = fieldsOf(value)
  const listOf = <T>(key: string, parse: (fields: Fields) => T) =>
    fields.list(key).map((each) => parse(fieldsOf(each)))
  return {
    packages: fields.value('packages') === null ? null : parsePackages(fields.group('packages')),
    conffiles: listOf('conffiles', parseFile),
    files: listOf('files', parseFile),
    users: listOf('users', parseUser),
    groups: listOf('groups', parseGroup),
    services: listOf('services', parseService),
    privileged: listOf('privileged', parsePrivileged),
    leftOut: listOf('leftOut', parseLeftOut),
    sizeBytes: fields.number('sizeBytes'),
    unreadable: fields.number('unreadable'),
    dropped: fields.number('dropped'),
  }
}

function parsePackages({list}: Fields): PackageChanges {
  return {
    added: list('added').map(parseVersion),
    removed: list('removed').map(parseVersion),
    upgraded: list('upgraded').map(parseMove),
    downgraded: list('downgraded').map(parseMove),
  }
}

function parseVersion(value: unknown): PackageVersion {
  const {text} = fieldsOf(value)
  return {
    name: text('name'),
    architecture: text('architecture'),
    version: text('version'),
    state: text('state'),
  }
}

function parseMove(value: unknown): PackageMove {
  const {text} = fieldsOf(value)
  return {name: text('name'), architecture: text('architecture'), from: text('from'), to: text('to')}
}

function parseFile(fields: Fields): FileChange {
  return {
    path: fields.text('path'),
    change: oneOf(CHANGES, fields.text('change')),
    kind: oneOf(KINDS, fields.text('kind')),
    changed: wordsIn(fields, ASPECTS),
    package: textOrNull(fields, 'package'),
    group: oneOf(['conffile', 'other', ...LEFT_OUT_GROUPS], fields.text('group')),
    sizeBytes: fields.number('sizeBytes'),
  }
}

function parseUser(fields: Fields): UserChange {
  const {text, number} = fields
  return {
    name: text('name'),
    uid: number('uid'),
    gid: number('gid'),
    home: text('home'),
    shell: text('shell'),
    change: oneOf(CHANGES, text('change')),
    changed: wordsIn(fields, ['uid', 'gid', 'comment', 'home', 'shell', 'password']),
  }
}

function parseGroup(fields: Fields): GroupChange {
  const {text, number, list} = fields
  return {
    name: text('name'),
    gid: number('gid'),
    members: list('members').map(asText),
    change: oneOf(CHANGES, text('change')),
    changed: wordsIn(fields, ['gid', 'members']),
  }
}

function parseService({text, list}: Fields): ServiceChange {
  return {
    name: text('name'),
    init: oneOf(['systemd', 'sysv'], text('init')),
    change: oneOf(['added', 'removed'], text('change')),
    startedBy: list('startedBy').map(asText),
  }
}

function parsePrivileged(fields: Fields): TreeDifference['privileged'][number] {
  const {text, number, list} = fields
  return {
    path: text('path'),
    change: oneOf(CHANGES, text('change')),
    mode: number('mode'),
    uid: number('uid'),
    gid: number('gid'),
    capabilities: list('capabilities').map(asText),
    package: textOrNull(fields, 'package'),
  }
}

function parseLeftOut({text, number}: Fields): LeftOut {
  return {
    group: oneOf(LEFT_OUT_GROUPS, text('group')),
    files: number('files'),
    sizeBytes: number('sizeBytes'),
  }
}

function wordsIn<const T extends string>({list}: Fields, known: readonly T[]): T[] {
  return list('changed').map((word) => oneOf(known, asText(word)))
}

function textOrNull({text, value}: Fields, key: string): string | null {
  return value(key) === null ? null : text(key)
}

function oneOf<const T extends string>(known: readonly T[], text: string): T {
  const found = known.find((word) => word === text)
  if (found === undefined) throw new Error(`${text} is not one of ${known.join(', ')}`)
  return found
}

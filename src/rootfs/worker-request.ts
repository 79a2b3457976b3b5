import type {ArchiveFacts} from './apt/archives.js'
import type {OwnFile} from './comparison/own-files.js'
import type {AddedFile} from './debs/added-file.js'
import type {Facts} from './fixes/fix.js'
import type {OwnerRule} from './tree/owners.js'
import {asText, type Fields, fieldsOf} from './worker-fields.js'

/** A request to the worker: a verb, and one JSON argument. */
export type WorkerRequest =
  | {
      readonly verb: 'extract'
      readonly root: string
      readonly owners: OwnerRule
      /** Path of the metadata journal. */
      readonly ledger?: string
    }
  | {readonly verb: 'fix'; readonly root: string; readonly facts: Facts; readonly only?: readonly string[]}
  | SettleRequest
  | LedgerRequest
  | ExportRequest
  | UnpackRequest
  | PackRequest
  | CompareRequest
  | {readonly verb: 'remove'; readonly path: string}
  | {readonly verb: 'measure'; readonly paths: readonly string[]}

/** Fixes a new tree, plans files that are not written to it, and measures the result. */
export type SettleRequest = {
  readonly verb: 'settle'
  readonly root: string
  readonly facts: Facts
  /** Names of the fixes; all if left out. */
  readonly only?: readonly string[]
  /** Names of fixes whose files are planned, not written. */
  readonly planned: readonly string[]
}

/** Makes the metadata journal `to` of a tree's copy from the original's, `from`. */
export type LedgerRequest = {
  readonly verb: 'restore-owners' | 'record-owners'
  readonly root: string
  readonly from: string
  readonly to: string
}

/** Writes a tree as an archive to descriptor 3. */
export type ExportRequest = {
  readonly verb: 'export'
  readonly root: string
  /** The tree's journal; may be missing. */
  readonly ledger: string
  readonly owners: OwnerRule
  /** The comment in the archive. */
  readonly comment: string
}

/** Unpacks packages into an empty folder; their names and files are lines of JSON on standard input. */
export type UnpackRequest = {
  readonly verb: 'unpack'
  readonly root: string
  readonly owners: OwnerRule
  /** Path of the metadata journal: a new file. */
  readonly ledger: string
  /** Links in the root, to folders of the same name in usr. */
  readonly links: readonly string[]
  /** In addition to those of the packages. */
  readonly files: readonly AddedFile[]
  /** Seconds since 1970: the time of files that belong to no package. */
  readonly modified: string
}

/** Makes an image from a new tree: a reproducible archive. */
export type PackRequest = {
  readonly verb: 'pack'
  readonly root: string
  readonly owners: OwnerRule
  /** The tree's journal. */
  readonly ledger: string
  /** Seconds since 1970; no file of the image is newer. */
  readonly latest: number
  /** A new file. */
  readonly archive: string
}

/** Compares two trees. */
export type CompareRequest = {
  readonly verb: 'compare'
  /** Folders of the layers of a tree, the uppermost first. */
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly own: readonly OwnFile[]
  readonly isSinceImage: boolean
  readonly ownersCount: boolean
  readonly listsAll: boolean
}

/** @throws {Error} Both ends are this program, so an unexpected value is a bug. */
export function parseRequest(verb: string | undefined, json: string | undefined): WorkerRequest {
  const fields = fieldsOf(JSON.parse(json ?? ''))
  switch (verb) {
    case 'extract':
      return {
        verb,
        root: fields.text('root'),
        owners: readRule(fields),
        ...(fields.has('ledger') ? {ledger: fields.text('ledger')} : {}),
      }
    case 'fix': {
      const request = {verb, root: fields.text('root'), facts: readFacts(fields.group('facts'))} as const
      return fields.has('only') ? {...request, only: fields.list('only').map(asText)} : request
    }
    case 'settle':
      return {
        verb,
        root: fields.text('root'),
        facts: readFacts(fields.group('facts')),
        ...(fields.has('only') ? {only: fields.list('only').map(asText)} : {}),
        planned: fields.list('planned').map(asText),
      }
    case 'restore-owners':
    case 'record-owners':
      return {verb, root: fields.text('root'), from: fields.text('from'), to: fields.text('to')}
    case 'export':
      return {
        verb,
        root: fields.text('root'),
        ledger: fields.text('ledger'),
        owners: readRule(fields),
        comment: fields.text('comment'),
      }
    case 'unpack':
      return {
        verb,
        root: fields.text('root'),
        owners: readRule(fields),
        ledger: fields.text('ledger'),
        links: fields.list('links').map(asText),
        files: fields.list('files').map(readAddedFile),
        modified: fields.text('modified'),
      }
    case 'pack':
      return {
        verb,
        root: fields.text('root'),
        owners: readRule(fields),
        ledger: fields.text('ledger'),
        latest: fields.number('latest'),
        archive: fields.text('archive'),
      }
    case 'compare':
      return readComparison(fields)
    case 'remove':
      return {verb, path: fields.text('path')}
    case 'measure':
      return {verb, paths: fields.list('paths').map(asText)}
    default:
      throw new Error(`the rootfs worker knows no verb ${verb}`)
  }
}

function readRule({text}: Fields): OwnerRule {
  return text('owners') === 'keep' ? 'keep' : 'caller'
}

function readComparison({flag, list}: Fields): CompareRequest {
  return {
    verb: 'compare',
    before: list('before').map(asText),
    after: list('after').map(asText),
    own: list('own').map(readOwnFile),
    isSinceImage: flag('isSinceImage'),
    ownersCount: flag('ownersCount'),
    listsAll: flag('listsAll'),
  }
}

function readAddedFile(value: unknown): AddedFile {
  const {text, number} = fieldsOf(value)
  return {path: text('path'), content: text('content'), mode: number('mode')}
}

function readOwnFile(value: unknown): OwnFile {
  const {text, list} = fieldsOf(value)
  return {path: text('path'), parts: list('parts').map(asText)}
}

function readFacts({text, group}: Fields): Facts {
  return {
    name: text('name'),
    machineId: text('machineId'),
    identity: text('identity') === 'mapped' ? 'mapped' : 'emulated',
    syncFilter: text('syncFilter'),
    archives: readArchives(group('archives')),
  }
}

function readArchives({has, text, list}: Fields): ArchiveFacts {
  return {
    ubuntuMirror: has('ubuntuMirror') ? text('ubuntuMirror') : undefined,
    debianMirror: has('debianMirror') ? text('debianMirror') : undefined,
    movedSuites: list('movedSuites').map(asText),
  }
}

import type {ErrorCode} from '../errors.js'
import type {ArchiveFacts} from './apt/archives.js'
import type {Facts} from './fixes/fix.js'
import type {OwnerRule} from './tree/owners.js'

/** What the worker is asked, as one JSON argument after its verb. */
export type WorkerRequest =
  | {
      readonly verb: 'extract'
      readonly root: string
      readonly owners: OwnerRule
      /** Where what the tree lacks is written down. */
      readonly ledger?: string
    }
  | {readonly verb: 'fix'; readonly root: string; readonly facts: Facts; readonly only?: readonly string[]}
  | LedgerRequest
  | {readonly verb: 'remove'; readonly path: string}
  | {readonly verb: 'measure'; readonly paths: readonly string[]}

/** To make the ledger `to` of a tree's copy from its own, `from`. */
export type LedgerRequest = {
  readonly verb: 'restore-owners' | 'record-owners'
  readonly root: string
  readonly from: string
  readonly to: string
}

/** What it answers, one JSON object a line: any number of progress events, then one of the others. */
export type WorkerEvent =
  | {readonly event: 'progress'; readonly entries: number; readonly bytes: number}
  | {readonly event: 'result'; readonly value: unknown}
  | {
      readonly event: 'error'
      /** Undefined for a bug. */
      readonly code: ErrorCode | undefined
      readonly exitCode: number
      readonly message: string
      readonly suggestions: readonly string[]
    }

/** @throws {Error} Both ends are this program, so anything unexpected is a bug. */
export function parseRequest(verb: string | undefined, json: string | undefined): WorkerRequest {
  const fields = fieldsOf(JSON.parse(json ?? ''))
  switch (verb) {
    case 'extract':
      return {
        verb,
        root: fields.text('root'),
        owners: fields.text('owners') === 'keep' ? 'keep' : 'caller',
        ...(fields.has('ledger') ? {ledger: fields.text('ledger')} : {}),
      }
    case 'fix': {
      const facts = fields.group('facts')
      const request = {
        verb,
        root: fields.text('root'),
        facts: {
          name: facts.text('name'),
          machineId: facts.text('machineId'),
          identity: facts.text('identity') === 'mapped' ? 'mapped' : 'emulated',
          syncFilter: facts.text('syncFilter'),
          archives: readArchives(facts.group('archives')),
        },
      } as const
      return fields.has('only') ? {...request, only: fields.list('only').map(asText)} : request
    }
    case 'restore-owners':
    case 'record-owners':
      return {verb, root: fields.text('root'), from: fields.text('from'), to: fields.text('to')}
    case 'remove':
      return {verb, path: fields.text('path')}
    case 'measure':
      return {verb, paths: fields.list('paths').map(asText)}
    default:
      throw new Error(`the rootfs worker knows no verb ${verb}`)
  }
}

function readArchives({has, text, list}: Fields): ArchiveFacts {
  return {
    ubuntuMirror: has('ubuntuMirror') ? text('ubuntuMirror') : undefined,
    debianMirror: has('debianMirror') ? text('debianMirror') : undefined,
    movedSuites: list('movedSuites').map(asText),
  }
}

/** @throws {Error} */
export function parseEvent(line: string): WorkerEvent {
  const fields = fieldsOf(JSON.parse(line))
  const event = fields.text('event')
  switch (event) {
    case 'progress':
      return {event, entries: fields.number('entries'), bytes: fields.number('bytes')}
    case 'result':
      return {event, value: fields.value('value')}
    case 'error': {
      const code = fields.has('code') ? fields.text('code') : undefined
      return {
        event,
        code: isErrorCode(code) ? code : undefined,
        exitCode: fields.number('exitCode'),
        message: fields.text('message'),
        suggestions: fields.list('suggestions').map(asText),
      }
    }
    default:
      throw new Error(`the rootfs worker sent an unknown event ${event}`)
  }
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code?.startsWith('ENVS_') ?? false
}

/** Reads an object field by field, each with its type. */
export type Fields = {
  has(key: string): boolean
  value(key: string): unknown
  text(key: string): string
  number(key: string): number
  list(key: string): readonly unknown[]
  group(key: string): Fields
}

/** @throws {Error} From every reader, naming the key. */
export function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new Error('not an object')
  const entries = new Map<string, unknown>(Object.entries(value))
  const read = <T>(key: string, accepts: (value: unknown) => value is T): T => {
    const field = entries.get(key)
    if (!accepts(field)) throw new Error(`the field ${key} is not what it should be`)
    return field
  }
  return {
    has: (key) => entries.get(key) !== undefined,
    value: (key) => entries.get(key),
    text: (key) => read(key, (field) => typeof field === 'string'),
    number: (key) => read(key, (field) => typeof field === 'number'),
    list: (key) => read(key, (field): field is readonly unknown[] => Array.isArray(field)),
    group: (key) => fieldsOf(entries.get(key)),
  }
}

/** @throws {Error} */
export function asText(value: unknown): string {
  if (typeof value !== 'string') throw new Error('not a text')
  return value
}

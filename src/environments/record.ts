import {readFile} from 'node:fs/promises'
import {errnoOf} from '../errors.js'
import type {DebArchitecture} from '../host/architecture.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {RecordUnreadableError} from './errors.js'

/** What is known of an environment from its creation on; `env.json`, written last, makes it one. */
export type EnvironmentRecord = {
  readonly createdAt: Date
  readonly image: {
    /** Absolute path, URL without secrets, or `-`. */
    readonly source: string
    readonly sha256: string
    readonly sizeBytes: number
    readonly trust: 'digest' | 'unverified'
    readonly compression: string
  }
  readonly identity: 'mapped' | 'emulated'
  readonly storage: 'directory'
  readonly architecture: DebArchitecture | string
  readonly extraction: {
    readonly entries: number
    readonly sizeBytes: number
    /** Device nodes that an ordinary user can't make. */
    readonly skippedDevices: number
    /** Owners outside the subordinate range, given to nobody. */
    readonly squashedOwners: number
    /** Files whose capabilities were not set. */
    readonly fileCapabilities: number
  }
}

const SCHEMA_VERSION = 1
/** A record is under a kilobyte; more was not written by envs. */
const MAX_RECORD_BYTES = 65_536

export async function writeRecord(path: string, record: EnvironmentRecord): Promise<void> {
  const json = {schemaVersion: SCHEMA_VERSION, ...record, createdAt: record.createdAt.toISOString()}
  await writeFileAtomic(path, `${JSON.stringify(json, undefined, 2)}\n`, {mode: 0o600})
}

/** @throws {RecordUnreadableError} @returns undefined when there is none: no environment. */
export async function readRecord(path: string): Promise<EnvironmentRecord | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  return parseRecord(text, path)
}

/** @param path - For the message alone. @throws {RecordUnreadableError} Naming the first field that is wrong. */
export function parseRecord(text: string, path: string): EnvironmentRecord {
  if (text.length > MAX_RECORD_BYTES)
    throw new RecordUnreadableError(path, `it is over ${MAX_RECORD_BYTES} bytes`)
  const fields = new Fields(parseJson(text, path), path)
  const version = fields.number('schemaVersion')
  if (version !== SCHEMA_VERSION) throw new RecordUnreadableError(path, `its schemaVersion is ${version}`)
  const image = fields.object('image')
  const extraction = fields.object('extraction')
  return {
    createdAt: fields.date('createdAt'),
    image: {
      source: image.string('source'),
      sha256: image.string('sha256'),
      sizeBytes: image.number('sizeBytes'),
      trust: image.oneOf('trust', ['digest', 'unverified']),
      compression: image.string('compression'),
    },
    identity: fields.oneOf('identity', ['mapped', 'emulated']),
    storage: fields.oneOf('storage', ['directory']),
    architecture: fields.string('architecture'),
    extraction: {
      entries: extraction.number('entries'),
      sizeBytes: extraction.number('sizeBytes'),
      skippedDevices: extraction.number('skippedDevices'),
      squashedOwners: extraction.number('squashedOwners'),
      fileCapabilities: extraction.number('fileCapabilities'),
    },
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new RecordUnreadableError(path, 'it is not JSON', error)
  }
}

/** Reads an object's fields by type; an unknown field is left alone, for a newer version may have added it. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>

  constructor(
    value: unknown,
    readonly path: string,
    readonly at = '',
  ) {
    if (typeof value !== 'object' || value === null)
      throw new RecordUnreadableError(path, `${at || 'it'} is no object`)
    this.#values = {...value}
  }

  object(key: string): Fields {
    return new Fields(this.#values[key], this.path, `${this.at}${key}.`)
  }

  string(key: string): string {
    const value = this.#values[key]
    if (typeof value !== 'string') throw this.#wrong(key, 'a text')
    return value
  }

  number(key: string): number {
    const value = this.#values[key]
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.#wrong(key, 'a number')
    return value
  }

  date(key: string): Date {
    const value = new Date(this.string(key))
    if (Number.isNaN(value.getTime())) throw this.#wrong(key, 'a time')
    return value
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.#values[key]
    const found = allowed.find((word) => word === value)
    if (found === undefined) throw this.#wrong(key, allowed.join(' or '))
    return found
  }

  #wrong(key: string, wanted: string): RecordUnreadableError {
    return new RecordUnreadableError(this.path, `${this.at}${key} is not ${wanted}`)
  }
}

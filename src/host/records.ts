import * as v from 'valibot'
import {errnoOf, wordsForErrno} from '../errors.js'
import {isSha256, type Sha256} from './digest.js'
import {isErrno} from './errno.js'
import {readSmallFile, writeFileAtomic} from './files.js'

/** One kind of record on disk: what a file of it holds, in which version, and how its damage is reported. */
export type RecordFormat<Schema extends v.GenericSchema<unknown, unknown>> = {
  /** Of the newest version; fields that it does not name are left out of what is read. */
  readonly schema: Schema
  /** The version that is written. A file that names none is of version 1. */
  readonly version: number
  /** The first turns a record of version 1 into one of version 2, and so on; none may change the file. */
  readonly migrations: readonly ((record: JsonObject) => JsonObject)[]
  /** A longer file was not written by envs. */
  readonly maxBytes: number
  /** Of the text: templates/host/complete.sh reads some records line by line. */
  readonly indent: number
  readonly unreadable: (path: string, problem: RecordProblem) => Error
}

/** What a schema reads, as a value that nobody changes in place. */
export type RecordOf<Schema extends v.GenericSchema<unknown, unknown>> = ReadonlyDeep<v.InferOutput<Schema>>

/** Why a record can't be read; `why` is half a sentence: `it is not JSON`. */
export type RecordProblem = {readonly why: string; readonly isNewer: boolean; readonly cause?: unknown}

/** What goes with the error of a record: one that a newer envs wrote has a next step of its own. */
export function recordCircumstances({isNewer, cause}: RecordProblem) {
  const suggestions = [
    'Run the command with the newest envs that has used this store; the record is unchanged.',
  ]
  return {cause, ...(isNewer ? {suggestions} : {})}
}

type ReadonlyDeep<T> = T extends Date | string | number | boolean | null | undefined
  ? T
  : {readonly [Key in keyof T]: ReadonlyDeep<T[Key]>}

type JsonObject = Readonly<Record<string, unknown>>

/**
 * Reads a record of the store.
 *
 * @returns undefined where there is no file.
 * @throws What `format.unreadable` makes: for a damaged file, one of a newer version, and one that can't be opened.
 */
export function readRecordFile<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  format: RecordFormat<Schema>,
): RecordOf<Schema> | undefined {
  try {
    return requireRecordFile(path, format)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** As `readRecordFile`. @throws {NodeJS.ErrnoException} ENOENT or ENOTDIR where there is no file. */
export function requireRecordFile<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  format: RecordFormat<Schema>,
): RecordOf<Schema> {
  let text: string
  try {
    text = readSmallFile(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined || isMissing(error)) throw error
    throw format.unreadable(path, {why: wordsForErrno(errno), isNewer: false, cause: error})
  }
  return parseRecordText(text, path, format)
}

function isMissing(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ENOTDIR')
}

/** @param path - For the message alone. @throws What `format.unreadable` makes. */
export function parseRecordText<Schema extends v.GenericSchema<unknown, unknown>>(
  text: string,
  path: string,
  {schema, version: newest, migrations, maxBytes, unreadable}: RecordFormat<Schema>,
): RecordOf<Schema> {
  const refuse = (why: string, {isNewer = false, cause}: {isNewer?: boolean; cause?: unknown} = {}) =>
    unreadable(path, {why, isNewer, cause})
  if (text.length > maxBytes) throw refuse(`it is over ${maxBytes} bytes`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw refuse('it is not JSON', {cause: error})
  }
  if (!isJsonObject(json)) throw refuse('it is not an object')
  const {schemaVersion: version = 1} = json
  if (typeof version !== 'number') throw refuse('schemaVersion is not a number')
  if (version > newest) {
    const known = `its schemaVersion is ${version}, and this envs reads up to ${newest}`
    throw refuse(`a newer envs wrote it: ${known}`, {isNewer: true})
  }
  if (!Number.isInteger(version) || version < 1) throw refuse(`its schemaVersion is ${version}`)
  const migrated = migrations.slice(version - 1).reduce((record, migrate) => migrate(record), json)
  const result = v.safeParse(schema, migrated, {abortEarly: true})
  if (!result.success) throw refuse(brokenRule(result.issues[0]))
  // A conditional type is not resolved for a generic schema; the output is only made read-only.
  return result.output as RecordOf<Schema>
}

/** The text of a record in the newest version, as `writeRecordFile` writes it. */
export function recordText<Schema extends v.GenericSchema<unknown, unknown>>(
  record: RecordOf<Schema> & object,
  {version, indent}: RecordFormat<Schema>,
): string {
  const json = {schemaVersion: version, ...record}
  return `${JSON.stringify(json, undefined, indent)}\n`
}

/** Writes a record for its owner alone. @param isSynced - As `writeFileAtomic` has it. */
export async function writeRecordFile<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  record: RecordOf<Schema> & object,
  {isSynced = true, ...format}: RecordFormat<Schema> & {readonly isSynced?: boolean},
): Promise<void> {
  await writeFileAtomic(path, recordText(record, format), {mode: 0o600, isSynced})
}

/** What a text of ours holds as JSON; undefined for any other text. For what can be found out again. */
export function parseIfValid<Schema extends v.GenericSchema<unknown, unknown>>(
  text: string,
  schema: Schema,
): RecordOf<Schema> | undefined {
  try {
    return ifValid(JSON.parse(text), schema)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The value as the schema reads it; undefined where the value is not valid. */
export function ifValid<Schema extends v.GenericSchema<unknown, unknown>>(
  value: unknown,
  schema: Schema,
): RecordOf<Schema> | undefined {
  const result = v.safeParse(schema, value, {abortEarly: true})
  return result.success ? (result.output as RecordOf<Schema>) : undefined
}

function brokenRule(issue: v.BaseIssue<unknown>): string {
  const {at, what} = problemOf(issue)
  return `${at ?? 'it'} is ${what}`
}

/** Where a value is not as its schema has it, and what is wrong there: `missing`, `not a text`. */
export function problemOf(issue: v.BaseIssue<unknown>): {readonly at: string | null; readonly what: string} {
  const at = v.getDotPath(issue)
  if (issue.received === 'undefined') return {at, what: 'missing'}
  if (issue.type === 'strict_object') return {at, what: 'not a field of this version'}
  return {at, what: `not ${KINDS[issue.type] ?? issue.message}`}
}

/** For schemas of valibot's own, whose messages name the value: a record's may be long. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  finite: 'a number',
  boolean: 'true or false',
  array: 'a list',
  tuple_with_rest: 'a list',
  object: 'an object',
  record: 'an object',
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A number as JSON has it; JSON.parse makes Infinity of `1e999`. */
export const numberField = v.pipe(v.number(), v.finite())

/** A time, written by `JSON.stringify`. */
export const timeField = v.pipe(
  v.string(),
  v.transform((text) => new Date(text)),
  v.date('a time'),
)

export const sha256Field = v.custom<Sha256>(
  (value) => typeof value === 'string' && isSha256(value),
  'a SHA-256 digest',
)

/** Null where the field is null or missing: an older version may not have known it. */
export function orNull<Schema extends v.GenericSchema<unknown, unknown>>(schema: Schema) {
  return v.nullish(schema, null)
}

export function oneOfField<const Word extends string>(words: readonly Word[]) {
  return v.picklist(words, words.join(' or '))
}

import * as v from 'valibot'
import {errnoOf, wordsForErrno} from '../errors.js'
import {isSha256, type Sha256} from './digest.js'
import {isErrno} from './errno.js'
import {readSmallFile, writeFileAtomic} from './files.js'

/** The format of a record on disk: its schema, its version, and the error for damage. */
export type RecordFormat<Schema extends v.GenericSchema<unknown, unknown>> = {
  /** Schema of the newest version. Unknown fields of a {@link recordObject} survive a write, others are dropped on reading. */
  readonly schema: Schema
  /** Migrations from version 1 to 2, and so on; none may change files. The newest version, which is written, is that of the last. */
  readonly migrations?: readonly ((record: JsonObject) => JsonObject)[]
  /** Maximum size of a file that envs writes. */
  readonly maxBytes: number
  /** Indentation of the JSON: templates/host/complete.sh reads some records line by line. */
  readonly indent: number
  readonly unreadable: (path: string, problem: RecordProblem) => Error
}

/** The output type of a schema, deeply read-only. */
export type RecordOf<Schema extends v.GenericSchema<unknown, unknown>> = ReadonlyDeep<v.InferOutput<Schema>>

/** The reason why a record cannot be read; `why` is a clause: `it is not JSON`. */
export type RecordProblem = {readonly why: string; readonly isNewer: boolean; readonly cause?: unknown}

/** Returns what makes the error of a damaged record of one kind. */
export function unreadableBy(
  create: (
    facts: {readonly path: string; readonly reason: string},
    circumstances: ReturnType<typeof recordCircumstances>,
  ) => Error,
): (path: string, problem: RecordProblem) => Error {
  return (path, problem) => create({path, reason: problem.why}, recordCircumstances(problem))
}

/** Returns the cause and next steps of a record error: a record of a newer envs has its own next step. */
export function recordCircumstances({isNewer, cause}: RecordProblem) {
  const suggestions = [
    'Run the command with the newest envs that has used this store; the record is unchanged.',
  ]
  return {cause, ...(isNewer ? {suggestions} : {})}
}

/**
 * Returns the schema of an object whose unknown fields stay: a newer version of envs, which shares the version of the record, wrote
 * them, and they have to survive a write. The type has the known fields only.
 */
export function recordObject<const Entries extends v.ObjectEntries>(
  entries: Entries,
): v.ObjectSchema<Entries, undefined> {
  return v.looseObject(entries) as unknown as v.ObjectSchema<Entries, undefined>
}

type ReadonlyDeep<T> = T extends Date | string | number | boolean | null | undefined
  ? T
  : {readonly [Key in keyof T]: ReadonlyDeep<T[Key]>}

type JsonObject = Readonly<Record<string, unknown>>

/**
 * Reads a record of the store.
 *
 * @returns undefined if there is no file.
 * @throws The error of `format.unreadable`: for a file that is damaged, of a newer version, or unreadable.
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

/** Reads a record as `readRecordFile` does. @throws {NodeJS.ErrnoException} ENOENT or ENOTDIR if there is no file. */
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

/** Parses the text of a record. @param path - For the error message. @throws The error of `format.unreadable`. */
export function parseRecordText<Schema extends v.GenericSchema<unknown, unknown>>(
  text: string,
  path: string,
  {schema, migrations = [], maxBytes, unreadable}: RecordFormat<Schema>,
): RecordOf<Schema> {
  const newest = 1 + migrations.length
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
  const {schemaVersion: version = 1, ...fields} = json
  if (typeof version !== 'number') throw refuse('schemaVersion is not a number')
  if (version > newest) {
    const known = `its schemaVersion is ${version}, and this envs reads up to ${newest}`
    throw refuse(`a newer envs wrote it: ${known}`, {isNewer: true})
  }
  if (!Number.isInteger(version) || version < 1) throw refuse(`its schemaVersion is ${version}`)
  const migrated = migrations
    .slice(version - 1)
    .reduce<JsonObject>((record, migrate) => migrate(record), fields)
  const result = v.safeParse(schema, migrated, {abortEarly: true})
  if (!result.success) throw refuse(describeProblem(result.issues[0]))
  // TypeScript does not resolve the conditional type for a generic schema; the cast only adds readonly.
  return result.output as RecordOf<Schema>
}

/** Returns the text of a record in the newest version, as `writeRecordFile` writes it. */
export function recordText<Schema extends v.GenericSchema<unknown, unknown>>(
  record: RecordOf<Schema> & object,
  {migrations = [], indent}: RecordFormat<Schema>,
): string {
  const json = {schemaVersion: 1 + migrations.length, ...record}
  return `${JSON.stringify(json, undefined, indent)}\n`
}

/** Writes a record with mode 0600. @param isSynced - As for `writeFileAtomic`. */
export async function writeRecordFile<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  record: RecordOf<Schema> & object,
  {isSynced = true, ...format}: RecordFormat<Schema> & {readonly isSynced?: boolean},
): Promise<void> {
  await writeFileAtomic(path, recordText(record, format), {mode: 0o600, isSynced})
}

/** Parses and validates JSON that envs wrote; undefined for any other text. For data that can be determined again. */
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

/** Validates a value; undefined if it is invalid. */
export function ifValid<Schema extends v.GenericSchema<unknown, unknown>>(
  value: unknown,
  schema: Schema,
): RecordOf<Schema> | undefined {
  const result = v.safeParse(schema, value, {abortEarly: true})
  return result.success ? (result.output as RecordOf<Schema>) : undefined
}

function describeProblem(issue: v.BaseIssue<unknown>): string {
  const {at, what} = problemOf(issue)
  return `${at ?? 'it'} is ${what}`
}

/** Returns the path of an invalid value, and the problem: `missing`, `not a text`. */
export function problemOf(issue: v.BaseIssue<unknown>): {readonly at: string | null; readonly what: string} {
  const at = v.getDotPath(issue)
  if (issue.received === 'undefined') return {at, what: 'missing'}
  if (issue.type === 'strict_object') return {at, what: 'not a field of this version'}
  return {at, what: `not ${KINDS[issue.type] ?? issue.message}`}
}

/** Texts for valibot's own schemas, whose messages quote the value: it may be long. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  finite: 'a number',
  boolean: 'true or false',
  array: 'a list',
  tuple_with_rest: 'a list',
  object: 'an object',
  loose_object: 'an object',
  record: 'an object',
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A finite number; JSON.parse reads `1e999` as Infinity. */
export const numberField = v.pipe(v.number(), v.finite())

/** A time in ISO 8601, as `JSON.stringify` writes it. */
export const timeField = v.pipe(
  v.string(),
  v.transform((text) => new Date(text)),
  v.date('a time'),
)

export const sha256Field = v.custom<Sha256>(
  (value) => typeof value === 'string' && isSha256(value),
  'a SHA-256 digest',
)

/** Reads a missing field as null: an older version may lack it. */
export function orNull<Schema extends v.GenericSchema<unknown, unknown>>(schema: Schema) {
  return v.nullish(schema, null)
}

export function oneOfField<const Word extends string>(words: readonly Word[]) {
  return v.picklist(words, words.join(' or '))
}

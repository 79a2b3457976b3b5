import {constants} from 'node:fs'
import {open} from 'node:fs/promises'
import {parse, TomlError} from 'smol-toml'
import * as v from 'valibot'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {nearestNames} from '../../host/nearest.js'
import {foreignProjectError, projectFileError} from './errors.js'
import type {ProjectFile} from './extend.js'
import {findPosition, type Position} from './positions.js'
import {FORMAT_VERSION, type ProjectTables, projectSchema} from './schema.js'

/** Longest file that is read. */
const MAX_BYTES = 1024 * 1024

/** A file that others can write to would let them run commands in the caller's name. */
const OTHERS_CAN_WRITE = 0o002

/**
 * Reads and checks an envs.toml.
 *
 * @throws {@link projectFileError} With line and column. @throws {@link foreignProjectError}
 */
export async function readProjectFile(path: string, {uid}: {readonly uid: number}): Promise<ProjectFile> {
  const text = await readOwnText(path, uid)
  return {path, text, tables: parseProject(text, path)}
}

/** Parses the text of an envs.toml. @param path - For messages. @throws {@link projectFileError} */
export function parseProject(text: string, path: string): ProjectTables {
  const tables = parseToml(text, path)
  const refuse = (keys: readonly (string | number)[], problem: string) =>
    projectFileError({where: placeOf(path, findPosition(text, keys)), problem})
  const {version} = tables
  if (version === undefined)
    throw refuse([], `the key "version" is missing; write: version = ${FORMAT_VERSION}`)
  if (typeof version === 'number' && version > FORMAT_VERSION)
    throw refuse(
      ['version'],
      `a newer envs reads version ${version}; this one reads version ${FORMAT_VERSION}`,
    )
  const result = v.safeParse(projectSchema, tables)
  if (result.success) return result.output
  // A misspelt key explains why another one is missing.
  const issue = result.issues.find(isUnknownKey) ?? result.issues[0]
  throw refuse(keysOf(issue), describe(issue))
}

function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [problem = ''] = error.message.replace('Invalid TOML document: ', '').split('\n')
    throw projectFileError(
      {where: placeOf(path, error), problem: `it is not TOML: ${problem}`},
      {cause: error},
    )
  }
}

function placeOf(path: string, {line, column}: Position): string {
  return `${path}:${line}:${column}`
}

function keysOf(issue: v.BaseIssue<unknown>): (string | number)[] {
  return (issue.path ?? []).map(({key}) => (typeof key === 'number' ? key : String(key)))
}

/** Returns a problem as a clause: `there is no key "run" here` */
function describe(issue: v.BaseIssue<unknown>): string {
  const keys = keysOf(issue)
  const last = String(keys.at(-1))
  if (isUnknownKey(issue)) {
    const parent = issue.path?.at(-1)
    const nearest = parent?.type === 'object' ? nearestNames(last, knownKeys(keys.slice(0, -1))) : []
    const hint =
      nearest.length === 0 ? '' : `; did you mean ${nearest.map((each) => `"${each}"`).join(' or ')}`
    return `there is no key "${last}" here${hint}`
  }
  if (issue.received === 'undefined') return `the key "${last}" is missing`
  return `"${nameOf(keys)}" must be ${allowed(issue)}`
}

function isUnknownKey({type, expected}: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' && expected === 'never'
}

/** Returns the keys that a table may have. */
function knownKeys(path: readonly (string | number)[]): string[] {
  let schema: unknown = projectSchema
  for (const key of path) schema = childOf(schema, key)
  return Object.keys(entriesIn(schema) ?? {})
}

type SchemaParts = {
  readonly entries?: Record<string, unknown>
  readonly wrapped?: unknown
  readonly item?: unknown
  readonly value?: unknown
  readonly pipe?: readonly unknown[]
}

function childOf(schema: unknown, key: string | number): unknown {
  const parts = partsOf(schema)
  return parts.entries?.[String(key)] ?? parts.item ?? parts.value
}

function entriesIn(schema: unknown): Record<string, unknown> | undefined {
  return partsOf(schema).entries
}

/** Returns the parts of a schema without the wrappers of `optional` and `pipe`. */
function partsOf(schema: unknown): SchemaParts {
  const parts = (schema ?? {}) as SchemaParts
  return parts.wrapped === undefined ? parts : partsOf(parts.wrapped)
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text in quotes',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  strict_object: 'a table',
  record: 'a table',
  literal: String(FORMAT_VERSION),
}

function allowed({type, message}: v.BaseIssue<unknown>): string {
  return KINDS[type] ?? message
}

/** Returns a path as TOML writes it: `env.dev.steps`, and the number of an element from 1. */
function nameOf(keys: readonly (string | number)[]): string {
  return keys.map((key) => (typeof key === 'number' ? `#${key + 1}` : key)).join('.')
}

/** Reads a regular file that nobody else can change, through one descriptor. */
async function readOwnText(path: string, uid: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw projectFileError({where: path, problem: wordsForErrno(errno)}, {cause: error})
  })
  try {
    const status = await file.stat()
    if (!status.isFile()) throw projectFileError({where: path, problem: 'it is not a regular file'})
    if (status.uid !== uid && status.uid !== 0)
      throw foreignProjectError({path, problem: `it belongs to uid ${status.uid}`})
    if ((status.mode & OTHERS_CAN_WRITE) !== 0)
      throw foreignProjectError({path, problem: 'every user can write to it'})
    if (status.size > MAX_BYTES)
      throw projectFileError({where: path, problem: `it has over ${MAX_BYTES} bytes`})
    return decode(await file.readFile(), path)
  } finally {
    await file.close()
  }
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch (error) {
    throw projectFileError({where: path, problem: 'it is not UTF-8'}, {cause: error})
  }
}

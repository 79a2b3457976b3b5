import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {packageRoot} from '../../src/host/paths.js'
import {outputSchema} from './json-schema.js'

type Manifest = {readonly commands: Readonly<Record<string, DeclaredCommand>>}

type DeclaredCommand = {
  readonly aliases: readonly string[]
  readonly args: Readonly<Record<string, {readonly required?: boolean}>>
  readonly flags: Readonly<Record<string, DeclaredFlag>>
}

type DeclaredFlag = {
  readonly char?: string
  readonly type: string
  readonly multiple?: boolean
  readonly options?: readonly string[]
  readonly env?: string
}

/** The commands of the built manifest, with their aliases, arguments and flags. */
export async function commandTree(): Promise<object> {
  const {commands}: Manifest = JSON.parse(await readFile(join(packageRoot(), 'oclif.manifest.json'), 'utf8'))
  return sorted(commands, ({aliases, args, flags}) => ({
    aliases,
    arguments: Object.entries(args).map(([name, {required}]) => (required ? name : `[${name}]`)),
    flags: Object.fromEntries(
      Object.entries(sorted(flags, describeFlag)).map(([name, flag]) => [`--${name}`, flag]),
    ),
  }))
}

function describeFlag({char, type, multiple, options, env}: DeclaredFlag): object {
  return {
    ...(char && {char}),
    type,
    ...(multiple && {multiple}),
    ...(options && {options}),
    ...(env && {env}),
  }
}

function sorted<Value>(record: Readonly<Record<string, Value>>, describe: (value: Value) => object): object {
  const names = Object.keys(record).sort()
  return Object.fromEntries(names.map((name) => [name.replaceAll(':', ' '), describe(record[name] as Value)]))
}

type Schema = {
  readonly $ref?: string
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema | boolean
}

/**
 * What each command prints with --json, a line a field: its path, and the types or values it can have. However the schema
 * is put together, what it allows gives the same lines.
 *
 * `?` ends the path of a field that may be missing, `[]` is each of a list, `*` each of a map.
 */
export async function outputFields(): Promise<Readonly<Record<string, string>>> {
  const {properties, $defs} = await outputSchema()
  const fields = new Map<string, Set<string>>()
  for (const [name, schema] of Object.entries(properties)) addFields(fields, name, schema as Schema, $defs)
  const lines = [...fields].sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(lines.map(([path, types]) => [path, [...types].sort().join(' | ')]))
}

function addFields(
  fields: Map<string, Set<string>>,
  path: string,
  schema: Schema,
  definitions: Readonly<Record<string, unknown>>,
): void {
  const add = (at: string, inner: Schema) => addFields(fields, at, inner, definitions)
  if (schema.$ref !== undefined) {
    const definition = definitions[schema.$ref.replace('#/$defs/', '')]
    if (definition === undefined) throw new Error(`the schema has no ${schema.$ref}`)
    add(path, definition as Schema)
  }
  for (const each of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])])
    add(path, each)
  const types = typesOf(schema)
  if (types.length > 0) fields.set(path, new Set([...(fields.get(path) ?? []), ...types]))
  for (const [name, each] of Object.entries(schema.properties ?? {}))
    add(`${path}.${name}${schema.required?.includes(name) ? '' : '?'}`, each)
  if (typeof schema.additionalProperties === 'object') add(`${path}.*`, schema.additionalProperties)
  if (typeof schema.items === 'object') add(`${path}[]`, schema.items)
}

function typesOf(schema: Schema): string[] {
  if (schema.const !== undefined) return [JSON.stringify(schema.const)]
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value))
  const names = [schema.type ?? []].flat()
  return names.map((name) => (name === 'string' && schema.format === 'date-time' ? 'time' : name))
}

import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Ajv2020} from 'ajv/dist/2020.js'
import {packageRoot} from '../../src/host/paths.js'

type OutputSchema = {
  readonly properties: Readonly<Record<string, unknown>>
  readonly $defs: Readonly<Record<string, unknown>>
}

/** What users may rely on of each `--json`. */
export async function outputSchema(): Promise<OutputSchema> {
  return JSON.parse(await readFile(join(packageRoot(), 'schemas/output.json'), 'utf8'))
}

/**
 * Holds what a command printed to schemas/output.json: all fields that it names, and no others.
 *
 * @param key - The command, perhaps with a flag that changes what it prints; what follows a comma is for the reader.
 */
export async function assertDocumented(key: string, value: unknown): Promise<void> {
  const {properties, $defs} = await outputSchema()
  const [words = ''] = key.split(',')
  const isFailure = typeof value === 'object' && value !== null && 'error' in value
  const name = isFailure ? 'error' : [words, words.replace(/ --.*/, '')].find((each) => each in properties)
  assert.ok(name !== undefined, `schemas/output.json has no ${words}`)
  const ajv = new Ajv2020({allErrors: true, strict: true, allowUnionTypes: true})
  ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const validate = ajv.compile(closed({$defs: {...$defs, output: properties[name]}, $ref: '#/$defs/output'}))
  validate(value)
  assert.deepEqual(
    (validate.errors ?? []).map(({instancePath, message, params}) => ({instancePath, message, params})),
    [],
    `what ${key} prints is not as schemas/output.json has it`,
  )
}

/** The same schema, of objects that have no other fields. */
function closed(schema: object): object {
  const fields = Object.entries(schema).map(([key, value]) => [
    key,
    Array.isArray(value)
      ? value.map((each) => (isObject(each) ? closed(each) : each))
      : isObject(value)
        ? closed(value)
        : value,
  ])
  const isOfFields = 'properties' in schema && 'type' in schema
  return {...Object.fromEntries(fields), ...(isOfFields ? {additionalProperties: false} : {})}
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

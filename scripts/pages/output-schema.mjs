import {toJsonSchemaDefs} from '@valibot/to-json-schema'
import {tsImport} from 'tsx/esm/api'

/** schemas/output.json: what each command prints with --json, made of the schemas that are its types. */
export async function outputSchema() {
  const {COMMAND_RESULTS, SHARED_RESULTS} = await tsImport(
    '../../src/cli/command-results.ts',
    import.meta.url,
  )
  const shared = Object.entries(SHARED_RESULTS)
  const nameOf = (schema) => shared.find(([, each]) => each === schema)?.[0]
  const own = Object.entries(COMMAND_RESULTS).filter(([, schema]) => nameOf(schema) === undefined)
  // A command may have the name of a part.
  const named = Object.fromEntries(own.map(([command, schema]) => [`envs ${command}`, schema]))
  const made = toJsonSchemaDefs({...SHARED_RESULTS, ...named}, {overrideSchema: dates})
  const properties = Object.entries(COMMAND_RESULTS).map(([command, schema]) => {
    const name = nameOf(schema)
    return [command, name === undefined ? merged(made[`envs ${command}`]) : {$ref: `#/$defs/${name}`}]
  })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What envs prints with --json',
    description: 'A property a command: what it prints. Fields are only added.',
    type: 'object',
    properties: Object.fromEntries(properties),
    $defs: Object.fromEntries(shared.map(([name]) => [name, merged(made[name])])),
  }
}

/** JSON.stringify prints a Date as a text. */
function dates({valibotSchema}) {
  return valibotSchema.type === 'date' ? {type: 'string', format: 'date-time'} : undefined
}

/** The same schema, with one list of types for alternatives of different types: `["string", "null"]`. */
function merged(schema) {
  if (Array.isArray(schema)) return schema.map(merged)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, merged(value)]))
  if (inner.anyOf === undefined || inner.anyOf.some(({type}) => type === undefined)) return inner
  const {anyOf, ...rest} = inner
  const facts = Object.assign({}, ...anyOf)
  const types = anyOf.flatMap(({type}) => type)
  const values =
    facts.enum === undefined ? {} : {enum: [...facts.enum, ...(types.includes('null') ? [null] : [])]}
  return {...facts, type: types, ...values, ...rest}
}

import {toJsonSchema} from '@valibot/to-json-schema'
import {tsImport} from 'tsx/esm/api'

/** schemas/envs-toml.json: what an envs.toml may say, for editors; made of the schema by which envs reads it. */
export async function projectSchema() {
  const {projectSchema: schema} = await tsImport('../../src/project/file/schema.ts', import.meta.url)
  // Draft 7 is what editors of TOML take. Checks that JSON Schema has no word for are left to envs.
  const made = toJsonSchema(schema, {target: 'draft-07', typeMode: 'input', errorMode: 'ignore'})
  return {...made, title: 'envs.toml'}
}

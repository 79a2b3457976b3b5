import * as v from 'valibot'

/*
 * Fields of what commands print with --json. Such schemas are types in the program (`import type`), and become
 * schemas/output.json and docs/json.md by `npm run docs`; no command loads them.
 */

/** A number of bytes or items. */
export const countField = v.pipe(v.number(), v.integer())

/** A Date, printed as ISO 8601 in UTC. */
export const dateField = v.date()

export const digestField = described(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), 'SHA-256 digest')

export const architectureField = described(v.string(), 'processor architecture, by its dpkg name')

export const ownNameField = described(v.string(), 'name of the environment')

/** Adds a description for docs/json.md to a schema. */
export function described<Schema extends v.GenericSchema>(schema: Schema, text: string) {
  return v.pipe(schema, v.description(text))
}

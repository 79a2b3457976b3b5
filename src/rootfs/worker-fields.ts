/** Reads an object field by field, each with its type. */
export type Fields = {
  has(key: string): boolean
  value(key: string): unknown
  text(key: string): string
  number(key: string): number
  flag(key: string): boolean
  list(key: string): readonly unknown[]
  group(key: string): Fields
}

/** @throws {Error} From every reader, with the key. */
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
    flag: (key) => read(key, (field) => typeof field === 'boolean'),
    list: (key) => read(key, (field): field is readonly unknown[] => Array.isArray(field)),
    group: (key) => fieldsOf(entries.get(key)),
  }
}

/** @throws {Error} */
export function asText(value: unknown): string {
  if (typeof value !== 'string') throw new Error('not a text')
  return value
}

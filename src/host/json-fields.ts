/** Makes the error for a file that is not what it must be; `rule` is half a sentence: `it is not JSON`. */
export type Refuse = (rule: string, cause?: unknown) => Error

/**
 * Reads the text of a record that envs wrote itself, in this version or another.
 *
 * @param maxBytes - More than that was not written by envs.
 * @throws What `refuse` makes, naming the first rule that is broken.
 */
export function parseJsonRecord(
  text: string,
  {maxBytes, schemaVersion, refuse}: {maxBytes: number; schemaVersion: number; refuse: Refuse},
): JsonFields {
  if (text.length > maxBytes) throw refuse(`it is over ${maxBytes} bytes`)
  const fields = new JsonFields(parseJson(text, refuse), refuse)
  const version = fields.number('schemaVersion')
  if (version !== schemaVersion) throw refuse(`its schemaVersion is ${version}`)
  return fields
}

/** Reads an object's fields by type; an unknown field is left alone, for a newer version may have added it. */
export class JsonFields {
  readonly #values: Readonly<Record<string, unknown>>

  constructor(
    value: unknown,
    private readonly refuse: Refuse,
    private readonly at = '',
  ) {
    if (typeof value !== 'object' || value === null)
      throw refuse(`${at === '' ? 'it' : at.slice(0, -1)} is not an object`)
    this.#values = {...value}
  }

  object(key: string): JsonFields {
    return new JsonFields(this.#values[key], this.refuse, `${this.at}${key}.`)
  }

  string(key: string): string {
    const value = this.#values[key]
    if (typeof value !== 'string') throw this.wrong(key, 'a text')
    return value
  }

  number(key: string): number {
    const value = this.#values[key]
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.wrong(key, 'a number')
    return value
  }

  strings(key: string): string[] {
    const value = this.#values[key]
    const texts = Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
    if (!Array.isArray(value) || texts.length !== value.length) throw this.wrong(key, 'a list of texts')
    return texts
  }

  /** A list of objects. */
  list(key: string): JsonFields[] {
    const value: unknown = this.#values[key]
    if (!Array.isArray(value)) throw this.wrong(key, 'a list')
    return value.map((each, index) => new JsonFields(each, this.refuse, `${this.at}${key}.${index}.`))
  }

  date(key: string): Date {
    const value = new Date(this.string(key))
    if (Number.isNaN(value.getTime())) throw this.wrong(key, 'a time')
    return value
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.#values[key]
    const found = allowed.find((word) => word === value)
    if (found === undefined) throw this.wrong(key, allowed.join(' or '))
    return found
  }

  /** What `read` makes of the field, or null where it is null or missing. */
  orNull<T>(key: string, read: (fields: JsonFields) => T): T | null {
    return (this.#values[key] ?? null) === null ? null : read(this)
  }

  /** The error for a field that is not `wanted`. */
  wrong(key: string, wanted: string): Error {
    return this.refuse(`${this.at}${key} is not ${wanted}`)
  }
}

function parseJson(text: string, refuse: Refuse): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refuse('it is not JSON', error)
  }
}

/** What a text of ours holds; an empty object for one that is damaged, which has none of the fields that it needs. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? {...value} : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

import {type MalformedListingError, malformedListingError} from './errors.js'

/** One value of a JSON listing and where it stands, so that what is wrong can be named. */
export class JsonReader {
  private constructor(
    private readonly value: unknown,
    private readonly listing: string,
    private readonly at: string,
  ) {}

  /** @throws {MalformedListingError} */
  static parse(data: Buffer, listing: string): JsonReader {
    try {
      return new JsonReader(JSON.parse(data.toString('utf8')), listing, '$')
    } catch (error) {
      if (error instanceof SyntaxError)
        throw malformedListingError({listing, at: '$', reason: 'it is not JSON'})
      throw error
    }
  }

  /** @throws {MalformedListingError} When it is no object. */
  entries(): [string, JsonReader][] {
    return Object.entries(this.#object()).map(([key, value]) => [key, this.#child(key, value)])
  }

  /** @throws {MalformedListingError} When this is no object. */
  field(key: string): JsonReader {
    const object = this.#object()
    return this.#child(key, Object.hasOwn(object, key) ? object[key] : undefined)
  }

  /** @throws {MalformedListingError} */
  string(): string {
    if (typeof this.value !== 'string') throw this.wrong('not a text')
    return this.value
  }

  optionalString(): string | undefined {
    return this.value === undefined ? undefined : this.string()
  }

  /** A whole number of bytes or things. @throws {MalformedListingError} */
  count(): number {
    if (typeof this.value !== 'number' || !Number.isSafeInteger(this.value) || this.value < 0) {
      throw this.wrong('not a count')
    }
    return this.value
  }

  wrong(reason: string): MalformedListingError {
    return malformedListingError({listing: this.listing, at: this.at, reason})
  }

  #object(): Readonly<Record<string, unknown>> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) {
      throw this.wrong('not an object')
    }
    return {...this.value}
  }

  #child(key: string, value: unknown): JsonReader {
    return new JsonReader(value, this.listing, `${this.at}.${key.slice(0, 100)}`)
  }
}

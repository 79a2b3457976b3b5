import {createHash} from 'node:crypto'
import * as v from 'valibot'
import {finishSha256, isSha256, type Sha256} from '../host/digest.js'
import {numberField, parseIfValid, type RecordOf, sha256Field} from '../host/records.js'
import type {Paragraph} from './format/control.js'

/** A searchable index: of 69,000 packages, a command reads about a hundred. */
export type PackageIndex = {
  /** Lines for `parseRecord`, by name. */
  readonly records: SortedLines
  /** Names of the packages that provide a name. */
  readonly providers: SortedLines
  readonly required: readonly string[]
  readonly important: readonly string[]
}

/** Builds the file that {@link openPackageIndex} reads, paragraph by paragraph. */
export class PackageIndexBuilder {
  readonly #records = new LineStore()
  readonly #providers = new LineStore()
  readonly #required: string[] = []
  readonly #important: string[] = []

  add(paragraph: Paragraph): void {
    const name = paragraph[PACKAGE]
    if (name === undefined) return
    this.#records.add(name, recordLine(paragraph))
    const priority = paragraph[PRIORITY]
    if (priority === 'required') this.#required.push(name)
    if (priority === 'important') this.#important.push(name)
    const provides = paragraph[PROVIDES]
    if (provides === undefined) return
    for (const provided of new Set(provides.split(',').map(nameIn))) {
      this.#providers.add(provided, `${provided}\t${name}`)
    }
  }

  /** Returns the file: the records, the providers, and a line of JSON with the facts about both. */
  finish(): Buffer {
    const recordsBytes = this.#records.sizeBytes
    const facts = {recordsBytes, required: this.#required, important: this.#important}
    const bodyBytes = recordsBytes + this.#providers.sizeBytes
    const file = Buffer.allocUnsafeSlow(bodyBytes + tailOf(facts, '0'.repeat(64)).length)
    this.#providers.writeSorted(file, this.#records.writeSorted(file, 0))
    tailOf(facts, digestOf(file.subarray(0, bodyBytes), facts)).copy(file, bodyBytes)
    return file
  }
}

/** Opens an index file. @returns undefined if it is damaged, or has another layout. */
export function openPackageIndex(file: Buffer): PackageIndex | undefined {
  const end = file.lastIndexOf('\n') + 1
  const tail = parseIfValid(file.toString('latin1', end), indexTailSchema)
  if (tail === undefined) return undefined
  const {recordsBytes, required, important} = tail
  const body = file.subarray(0, end)
  if (tail.sha256 !== digestOf(body, tail)) return undefined
  return {
    records: new SortedLines(body.subarray(0, recordsBytes)),
    providers: new SortedLines(body.subarray(recordsBytes)),
    required,
    important,
  }
}

/** The fields that are stored, in the order of a record's line. */
export const RECORD_FIELDS = [
  'Package',
  'Version',
  'Architecture',
  'Priority',
  'Essential',
  'Provides',
  'Pre-Depends',
  'Depends',
  'Filename',
  'Size',
  'SHA256',
  'Installed-Size',
] as const

/** Returns the fields as one line, separated by tabs: the name first. */
function recordLine(paragraph: Paragraph): string {
  return RECORD_FIELDS.map((_, place) => oneLine(paragraph[place])).join('\t')
}

function oneLine(value: string | undefined): string {
  if (value === undefined) return ''
  return value.includes('\n') || value.includes('\t') ? value.replace(/[\n\t]+/g, ' ') : value
}

/** The record of one package in an index, checked; relations are not parsed. */
export type PackageRecord = {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly priority: string
  readonly isEssential: boolean
  readonly provides: string
  readonly preDepends: string
  readonly depends: string
  /** Path below the folder of the repository. */
  readonly filename: string
  readonly sizeBytes: number
  readonly sha256: Sha256
  readonly installedBytes: number
}

/** Parses a record. @param rest - A line without its name. @returns undefined if a field is invalid. */
export function parseRecord(name: string, rest: string): PackageRecord | undefined {
  const [version = '', architecture = '', priority = '', essential, provides = '', ...more] = rest.split('\t')
  const [preDepends = '', depends = '', filename = '', size = '', sha256 = '', installed = ''] = more
  const isSound =
    NAME.test(name) && VERSION.test(version) && ARCHITECTURE.test(architecture) && FILENAME.test(filename)
  if (!isSound || !NUMBER.test(size) || !isSha256(sha256)) return undefined
  return {
    name,
    version,
    architecture,
    priority,
    isEssential: essential === 'yes',
    provides,
    preDepends,
    depends,
    filename: filename.replace(/^\.\//, ''),
    sizeBytes: Number(size),
    sha256,
    // dpkg counts in units of 1024 bytes.
    installedBytes: NUMBER.test(installed) ? Number(installed) * 1024 : 0,
  }
}

/** @see deb-control(5), Debian Policy section 5.6 */
const NAME = /^[a-z0-9][a-z0-9+.-]{1,127}$/
const VERSION = /^[A-Za-z0-9.+:~-]{1,256}$/
const ARCHITECTURE = /^[a-z0-9-]{2,32}$/
/** No part may be empty or begin with a dot, so the path stays below its folder. */
const FILENAME =
  /^(?:\.\/)?(?:[A-Za-z0-9_+~=:%,-][A-Za-z0-9._+~=:%,-]*\/)*[A-Za-z0-9_+~=:%,-][A-Za-z0-9._+~=:%,-]*$/
const NUMBER = /^\d{1,12}$/

/** Version of the file layout; a file of another version is built again. */
const SCHEMA_VERSION = 1

const PACKAGE = RECORD_FIELDS.indexOf('Package')
const PRIORITY = RECORD_FIELDS.indexOf('Priority')
const PROVIDES = RECORD_FIELDS.indexOf('Provides')

const indexFacts = {
  recordsBytes: numberField,
  required: v.array(v.string()),
  important: v.array(v.string()),
}

const indexFactsSchema = v.object(indexFacts)

/** The content of the last line, without the digest. */
type IndexFacts = RecordOf<typeof indexFactsSchema>

const indexTailSchema = v.object({
  schemaVersion: v.literal(SCHEMA_VERSION),
  sha256: sha256Field,
  ...indexFacts,
})

function tailOf(facts: IndexFacts, sha256: string): Buffer {
  return Buffer.from(JSON.stringify({schemaVersion: SCHEMA_VERSION, sha256, ...facts}), 'latin1')
}

function nameIn(relation: string): string {
  return relation.trim().split(/[\s:(]/, 1)[0] ?? ''
}

/** Returns the digest of the whole content. */
function digestOf(body: Buffer, {recordsBytes, required, important}: IndexFacts): string {
  const hash = createHash('sha256').update(body)
  return finishSha256(hash.update(JSON.stringify([recordsBytes, required, important])))
}

/** A whole index takes about thirty chunks. */
const CHUNK_BYTES = 1024 * 1024

/** The position of a line, and its sort key. */
type StoredLine = {readonly key: string; readonly chunk: Buffer; readonly start: number; readonly end: number}

/** Sorts lines by key. The lines are stored as bytes, because strings would take three times the memory. */
export class LineStore {
  readonly #stored: StoredLine[] = []
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #used = 0
  #bytes = 0

  /** @param line - A byte string (latin1) that begins with the key and a tab. */
  add(key: string, line: string): void {
    const length = line.length + 1
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, length))
      this.#used = 0
    }
    const start = this.#used
    this.#used += this.#chunk.write(line, start, 'latin1')
    this.#chunk[this.#used++] = 0x0a
    this.#stored.push({key, chunk: this.#chunk, start, end: this.#used})
    this.#bytes += length
  }

  get sizeBytes(): number {
    return this.#bytes
  }

  /** Writes all lines into `target` at offset `at`. @returns The end offset. */
  writeSorted(target: Buffer, at: number): number {
    let end = at
    this.#stored.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    for (const line of this.#stored) end += line.chunk.copy(target, end, line.start, line.end)
    return end
  }
}

const NEWLINE = 0x0a
const TAB = 0x09

/** Searches sorted lines of a key, a tab and a value in place; no line becomes an object before it is found. */
export class SortedLines {
  constructor(private readonly bytes: Buffer) {}

  /** Returns the values of a key. */
  find(key: string): string[] {
    const wanted = Buffer.from(`${key}\t`, 'latin1')
    const found: string[] = []
    for (let at = this.#firstFrom(wanted); at < this.bytes.length; at = this.#lineEnd(at) + 1) {
      if (this.#compareAt(at, wanted) !== 0) break
      found.push(this.bytes.toString('latin1', at + wanted.length, this.#lineEnd(at)))
    }
    return found
  }

  /** Returns each key once, in order. */
  *keys(): Generator<string> {
    let last: string | undefined
    for (let at = 0; at < this.bytes.length; at = this.#lineEnd(at) + 1) {
      const key = this.bytes.toString('latin1', at, this.bytes.indexOf(TAB, at))
      if (key !== last) yield key
      last = key
    }
  }

  /** Returns the offset of the first line that does not sort before `wanted`. */
  #firstFrom(wanted: Buffer): number {
    let [low, high] = [0, this.bytes.length]
    while (low < high) {
      const start = this.#lineStart((low + high) >>> 1)
      if (this.#compareAt(start, wanted) < 0) low = this.#lineEnd(start) + 1
      else high = start
    }
    return low
  }

  /** Compares the beginning of a line with `wanted`: negative if it sorts before, 0 if equal. */
  #compareAt(start: number, wanted: Buffer): number {
    const end = Math.min(start + wanted.length, this.bytes.length)
    return this.bytes.compare(wanted, 0, wanted.length, start, end)
  }

  #lineStart(at: number): number {
    return at === 0 ? 0 : this.bytes.lastIndexOf(NEWLINE, at - 1) + 1
  }

  #lineEnd(at: number): number {
    const end = this.bytes.indexOf(NEWLINE, at)
    return end === -1 ? this.bytes.length : end
  }
}

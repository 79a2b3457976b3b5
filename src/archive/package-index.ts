import {createHash} from 'node:crypto'
import * as v from 'valibot'
import type {Paragraph} from '../debian/control.js'
import {finishSha256} from '../host/digest.js'
import {numberField, parseIfValid, type RecordOf, sha256Field} from '../host/records.js'
import {LineStore} from './line-store.js'
import {RECORD_FIELDS, recordLine} from './package-record.js'
import {SortedLines} from './sorted-lines.js'

/** An index that can be asked, and not walked through: of 69,000 packages a hundred are looked at. */
export type PackageIndex = {
  /** Lines of package-record.ts, by name. */
  readonly records: SortedLines
  /** The names of packages that provide a name. */
  readonly providers: SortedLines
  readonly required: readonly string[]
  readonly important: readonly string[]
}

/** Of the file's layout: another one is made anew. */
const SCHEMA_VERSION = 1

const PACKAGE = RECORD_FIELDS.indexOf('Package')
const PRIORITY = RECORD_FIELDS.indexOf('Priority')
const PROVIDES = RECORD_FIELDS.indexOf('Provides')

/** Takes in an index paragraph by paragraph and makes the file of it that {@link openPackageIndex} reads. */
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

  /** The whole file: the records, the providers, and a line of JSON that tells of both. */
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

const indexFacts = {
  recordsBytes: numberField,
  required: v.array(v.string()),
  important: v.array(v.string()),
}

const indexFactsSchema = v.object(indexFacts)

/** What the last line tells beside the digest. */
type Facts = RecordOf<typeof indexFactsSchema>

const indexTailSchema = v.object({
  schemaVersion: v.literal(SCHEMA_VERSION),
  sha256: sha256Field,
  ...indexFacts,
})

function tailOf(facts: Facts, sha256: string): Buffer {
  return Buffer.from(JSON.stringify({schemaVersion: SCHEMA_VERSION, sha256, ...facts}), 'latin1')
}

/** @returns undefined when it is damaged, or of another layout. */
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

function nameIn(relation: string): string {
  return relation.trim().split(/[\s:(]/, 1)[0] ?? ''
}

/** Of all that is in the file. */
function digestOf(body: Buffer, {recordsBytes, required, important}: Facts): string {
  const hash = createHash('sha256').update(body)
  return finishSha256(hash.update(JSON.stringify([recordsBytes, required, important])))
}

import * as v from 'valibot'
import type {Sha256} from '../../host/digest.js'
import {problemOf, sha256Field} from '../../host/records.js'
import {compareSerials, isSerial, malformedListingError} from './listings.js'

/** One file of a build. */
export type StreamItem = {
  /** `root.tar.xz`, `squashfs`. */
  readonly ftype: string
  /** Path below the root of the stream. */
  readonly path: string
  readonly sha256: Sha256
  readonly sizeBytes: number
}

export type StreamProduct = {
  /** `com.ubuntu.cloud:server:24.04:amd64`. */
  readonly id: string
  readonly distribution: string
  readonly suite: string
  readonly version: string
  readonly architecture: string
  /** Newest first. */
  readonly builds: readonly {readonly serial: string; readonly items: readonly StreamItem[]}[]
}

/** Selects builds and files: most of a stream is disk images and pre-release builds. */
export type StreamFilter = {readonly labels: readonly string[]; readonly ftypes: readonly string[]}

/** Safe relative path, with no empty part, `.` or `..`: it becomes part of a URL. */
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._:+~-]+(?:\/[A-Za-z0-9._:+~-]+)*$/

const pathField = v.pipe(v.string(), v.regex(PATH, 'a path below the root of the stream'))

const isDownloads = v.object({datatype: v.literal('image-downloads')})

const indexSchema = v.object({
  format: v.literal('index:1.0', 'index:1.0'),
  index: v.record(v.string(), onlyWhere(isDownloads, v.object({path: pathField}))),
})

const itemSchema = v.object({
  ftype: v.string(),
  path: pathField,
  sha256: sha256Field,
  size: v.custom<number>((size) => Number.isSafeInteger(size) && Number(size) >= 0, 'a count'),
})

/** Schema of the selected builds and files; all others are skipped. */
function productsSchema({labels, ftypes}: StreamFilter) {
  const isWanted = v.object({label: v.picklist(labels)})
  const isWantedItem = v.object({ftype: v.picklist(ftypes)})
  const buildSchema = v.object({items: v.record(v.string(), onlyWhere(isWantedItem, itemSchema))})
  const productSchema = v.object({
    os: v.string(),
    release: v.string(),
    version: v.string(),
    arch: v.string(),
    versions: v.record(v.string(), onlyWhere(isWanted, buildSchema)),
  })
  return v.object({
    format: v.literal('products:1.0', 'products:1.0'),
    products: v.record(v.string(), productSchema),
  })
}

/** Validates a value by `schema` if `which` accepts it; any other value becomes undefined. */
function onlyWhere<Schema extends v.GenericSchema>(which: v.GenericSchema, schema: Schema) {
  return v.lazy((value): Schema | typeof SKIPPED => (v.is(which, value) ? schema : SKIPPED))
}

const SKIPPED = v.pipe(
  v.unknown(),
  v.transform(() => undefined),
)

/**
 * Finds the stream of downloadable images in an index; the other streams list images within clouds.
 *
 * @returns Its path from the root of the stream, or undefined.
 * @throws {MalformedListingError}
 */
export function parseStreamIndex(data: Buffer, name: string): string | undefined {
  const {index} = readListing(data, name, indexSchema)
  return Object.values(index).find((entry) => entry !== undefined)?.path
}

/**
 * Parses a products file; builds and files that `filter` does not select are skipped.
 *
 * @throws {MalformedListingError}
 * @see https://launchpad.net/simplestreams
 */
export function parseStreamProducts(data: Buffer, name: string, filter: StreamFilter): StreamProduct[] {
  const {products} = readListing(data, name, productsSchema(filter))
  return Object.entries(products).map(([id, {os, release, version, arch, versions}]) => ({
    id,
    distribution: os,
    suite: release,
    version,
    architecture: arch,
    builds: Object.entries(versions)
      .filter(([serial]) => isSerial(serial))
      .map(([serial, build]) => ({serial, items: Object.values(build?.items ?? {}).flatMap(streamItem)}))
      .filter(({items}) => items.length > 0)
      .sort((a, b) => compareSerials(b.serial, a.serial)),
  }))
}

function streamItem(item: v.InferOutput<typeof itemSchema> | undefined): StreamItem[] {
  if (item === undefined) return []
  const {size, ...others} = item
  return [{...others, sizeBytes: size}]
}

function readListing<Schema extends v.GenericSchema>(
  data: Buffer,
  name: string,
  schema: Schema,
): v.InferOutput<Schema> {
  let json: unknown
  try {
    json = JSON.parse(data.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw malformedListingError({listing: name, at: '$', reason: 'it is not JSON'})
    throw error
  }
  const result = v.safeParse(schema, json, {abortEarly: true})
  if (result.success) return result.output
  const {at, what} = problemOf(result.issues[0])
  // Bounds the path in the message: a key of the listing may have any length.
  throw malformedListingError({listing: name, at: at === null ? '$' : `$.${at}`.slice(0, 300), reason: what})
}

import {isSha256, type Sha256} from '../../host/digest.js'
import {JsonReader} from './json-reader.js'
import {compareSerials, isSerial} from './serial.js'

/** One archive of a product's build. */
export type StreamItem = {
  /** `root.tar.xz`, `squashfs`. */
  readonly ftype: string
  /** From the root of the stream, never out of it. */
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

/** Which builds and which of their files to keep: most of a stream is disk images and tests before a release. */
export type StreamFilter = {readonly labels: readonly string[]; readonly ftypes: readonly string[]}

/** No part may be empty, `.`, or `..`: the path becomes part of a URL. */
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._:+~-]+(?:\/[A-Za-z0-9._:+~-]+)*$/

/**
 * Finds the stream of images to download in an index; the others list images within clouds.
 *
 * @returns Its path from the root of the stream, or undefined.
 * @throws {MalformedListingError}
 */
export function parseStreamIndex(data: Buffer, name: string): string | undefined {
  const index = readFormat(data, name, 'index:1.0').field('index')
  for (const [, entry] of index.entries()) {
    if (entry.field('datatype').optionalString() === 'image-downloads') return readPath(entry.field('path'))
  }
  return undefined
}

/**
 * Reads a file of products; builds and files that `filter` does not name are passed over.
 *
 * @throws {MalformedListingError}
 * @see https://launchpad.net/simplestreams
 */
export function parseStreamProducts(data: Buffer, name: string, filter: StreamFilter): StreamProduct[] {
  const products = readFormat(data, name, 'products:1.0').field('products')
  return products.entries().map(([id, product]) => ({
    id,
    distribution: product.field('os').string(),
    suite: product.field('release').string(),
    version: product.field('version').string(),
    architecture: product.field('arch').string(),
    builds: readBuilds(product.field('versions'), filter),
  }))
}

function readBuilds(versions: JsonReader, {labels, ftypes}: StreamFilter): StreamProduct['builds'] {
  return versions
    .entries()
    .filter(
      ([serial, build]) => isSerial(serial) && labels.includes(build.field('label').optionalString() ?? ''),
    )
    .map(([serial, build]) => ({
      serial,
      items: build
        .field('items')
        .entries()
        .filter(([, item]) => ftypes.includes(item.field('ftype').string()))
        .map(([, item]) => readItem(item)),
    }))
    .filter(({items}) => items.length > 0)
    .sort((a, b) => compareSerials(b.serial, a.serial))
}

function readItem(item: JsonReader): StreamItem {
  const digest = item.field('sha256')
  const sha256 = digest.string()
  if (!isSha256(sha256)) throw digest.wrong('not a SHA-256 digest')
  return {
    ftype: item.field('ftype').string(),
    path: readPath(item.field('path')),
    sha256,
    sizeBytes: item.field('size').count(),
  }
}

function readFormat(data: Buffer, name: string, format: string): JsonReader {
  const root = JsonReader.parse(data, name)
  const found = root.field('format')
  if (found.optionalString() !== format) throw found.wrong(`not ${format}`)
  return root
}

function readPath(field: JsonReader): string {
  const path = field.string()
  if (!PATH.test(path)) throw field.wrong('not a path below the root of the stream')
  return path
}

import {type Sha256, sha256Of} from '../host/digest.js'

/** Values that a key is made of; a missing field and one that is undefined are the same. */
export type KeyInput =
  | string
  | number
  | boolean
  | undefined
  | readonly KeyInput[]
  | {readonly [name: string]: KeyInput}

/** Part of each key, so that layers another version makes in another way are made again. */
const FORMAT = 'envs-layer-1'

/** Identifies a layer of a project by all that decides its content. */
export type LayerKey = Sha256

/** Returns the key of a layer. @param below - The key of the layer below it; undefined for the lowest. */
export function layerKey(below: LayerKey | undefined, kind: string, inputs: KeyInput): LayerKey {
  return sha256Of(canonicalJson([FORMAT, below ?? '', kind, inputs]))
}

/** Returns JSON with sorted names and without space, the same text for equal values. @see RFC 8785 */
export function canonicalJson(value: KeyInput): string {
  return JSON.stringify(sorted(value))
}

function sorted(value: KeyInput): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object') return value
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, sorted(each)]),
  )
}

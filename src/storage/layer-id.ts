import {createHash, randomBytes} from 'node:crypto'
import * as v from 'valibot'

declare const brand: unique symbol

/**
 * Names one layer of the store: `m` or `e` for the identity of its owners, and 31 hexadecimal digits. Short,
 * because mount(2) accepts a page of them.
 */
export type LayerId = string & {readonly [brand]: 'LayerId'}

type Identity = 'mapped' | 'emulated'

export function isLayerId(text: string): text is LayerId {
  return /^[me][0-9a-f]{31}$/.test(text)
}

/** The id of a layer in a record. */
export const layerIdField = v.custom<LayerId>(
  (value) => typeof value === 'string' && isLayerId(value),
  'the name of a layer',
)

export function newLayerId(identity: Identity): LayerId {
  return toLayerId(identity, randomBytes(16).toString('hex'))
}

/** Returns the layer for a list of ingredients: the same list gives the same layer. */
export function layerIdOf(identity: Identity, ingredients: readonly string[]): LayerId {
  const hash = createHash('sha256')
  // With their lengths, so that no two lists have the same digest.
  for (const ingredient of ingredients) hash.update(`${ingredient.length}:${ingredient}`)
  return toLayerId(identity, hash.digest('hex'))
}

/**
 * Returns the identity of a layer's owners: only root of that identity can read and remove all of its files.
 */
export function identityOf(id: LayerId): Identity {
  return id.startsWith('m') ? 'mapped' : 'emulated'
}

function toLayerId(identity: Identity, hex: string): LayerId {
  const text = `${identity.slice(0, 1)}${hex.slice(0, 31)}`
  if (!isLayerId(text)) throw new Error(`${text} is no name of a layer`)
  return text
}

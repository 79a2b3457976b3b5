import type {ScopedKeyring} from '../../src/images/signature/keyring.js'

/** The keyrings as a value of the variable ENVS_KEYRINGS. */
export function keyringsText(keyrings: readonly ScopedKeyring[]): string {
  return keyrings.map(({below, path}) => `${below}=${path}`).join(':')
}

/** The same files of keys, for another server. */
export function scopedTo(url: string, keyrings: readonly ScopedKeyring[]): ScopedKeyring[] {
  return keyrings.map(({path}) => ({below: url, path}))
}

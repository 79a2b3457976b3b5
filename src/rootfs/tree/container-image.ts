import {readdirSync} from 'node:fs'
import {ROOT_MARKS} from './wrapping-folder.js'

/** Files next to the layers: in the OCI image layout, and in the format of `docker save`. */
const LAYER_MARKS = ['oci-layout', 'manifest.json']

/**
 * Returns whether a tree contains the layers of a container image, each in its own archive, rather than a
 * root file system.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function holdsContainerImage(root: string): boolean {
  const names = new Set(readdirSync(root))
  return LAYER_MARKS.some((name) => names.has(name)) && !ROOT_MARKS.some((name) => names.has(name))
}

import {readdirSync} from 'node:fs'
import {ROOT_MARKS} from './wrapping-folder.js'

/** What lies beside the layers: of an image as OCI lays it out, and of one as `docker save` writes it. */
const LAYER_MARKS = ['oci-layout', 'manifest.json']

/**
 * Tells whether a tree is the layers of a container's image, each in an archive of its own, and no root file system.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function holdsContainerImage(root: string): boolean {
  const names = new Set(readdirSync(root))
  return LAYER_MARKS.some((name) => names.has(name)) && !ROOT_MARKS.some((name) => names.has(name))
}

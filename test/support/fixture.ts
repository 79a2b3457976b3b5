import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

/** A file of test/fixtures/, whose SOURCES.md says whence it is. */
export function fixture(path: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url)))
}

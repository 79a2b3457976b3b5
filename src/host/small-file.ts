import {readFileSync} from 'node:fs'

/**
 * Reads a file of some kilobytes that no guest can write, as text.
 *
 * Synchronous: by way of another thread it costs several times as much, and there are commands that read hundreds.
 *
 * @throws {NodeJS.ErrnoException}
 */
export function readSmallFile(path: string): string {
  return readFileSync(path, 'utf8')
}

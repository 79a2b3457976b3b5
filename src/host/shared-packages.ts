import {join} from 'node:path'
import type {Paths} from './paths.js'

/**
 * The folder of packages that every environment of the user reads and writes, each file named by its SHA-256: hostile.
 *
 * It lies in a folder that no guest can reach: a guest may give its own to everybody, and leave setuid files there.
 */
export function sharedPackages(paths: Pick<Paths, 'packages'>): string {
  return join(paths.packages, 'sha256')
}

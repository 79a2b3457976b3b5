import {join} from 'node:path'
import {packageRoot} from '../src/host/paths.js'

/** Returns the path of a program that runs on the booted host. */
export function guestFile(name: string): string {
  return join(packageRoot(), 'hosts', 'guest', name)
}

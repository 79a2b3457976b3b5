import {closeSync, openSync, readSync} from 'node:fs'

/** How a shim begins; `bin/envs` looks for the same. The words after it: environment, command. */
export const SHIM_MARK = '#!/bin/sh\n# envs-shim '

/**
 * Whether a file is a shim of envs: a call of envs for a command of a guest, which has the name of a program but must not
 * be taken for one of the host's.
 */
export function isShim(path: string): boolean {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return false
  }
  try {
    const start = Buffer.alloc(SHIM_MARK.length)
    return readSync(file, start) === start.length && start.toString('latin1') === SHIM_MARK
  } finally {
    closeSync(file)
  }
}

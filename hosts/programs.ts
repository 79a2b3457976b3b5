import type {Host} from '../src/host/host.js'
import {capture} from '../src/host/process.js'

/** Programs that build and boot a host, and their Debian packages. */
const NEEDED = {
  'qemu-system-x86_64': 'qemu-system-x86',
  mmdebstrap: 'mmdebstrap',
  mke2fs: 'e2fsprogs',
  newuidmap: 'uidmap',
  tar: 'tar',
  setpriv: 'util-linux',
} as const

/** The first mke2fs that makes a file system of a tar: with libarchive, and `-d FILE`. */
const MKE2FS = [1, 47, 1]

/** Returns a line for each package that this machine lacks; none where hosts can be built. */
export async function missingPrograms({which}: Pick<Host, 'which'>): Promise<string[]> {
  const missing = Object.entries(NEEDED).filter(([program]) => which(program) === undefined)
  const lines = missing.map(([program, name]) => `${program} is missing: install the package ${name}.`)
  const mke2fs = which('mke2fs')
  if (mke2fs === undefined) return lines
  const {stderr} = await capture([mke2fs, '-V'])
  return isNewEnough(stderr)
    ? lines
    : [...lines, `mke2fs is older than ${MKE2FS.join('.')}: install a newer package e2fsprogs.`]
}

/** @param text - `mke2fs 1.47.2 (1-Jan-2025)`, and more lines. */
export function isNewEnough(text: string): boolean {
  const found = /^mke2fs (\d+)\.(\d+)(?:\.(\d+))?/
    .exec(text)
    ?.slice(1)
    .map((part) => Number(part ?? 0))
  if (found === undefined) return false
  const place = MKE2FS.findIndex((number, index) => number !== found[index])
  return place === -1 || (found[place] ?? 0) > (MKE2FS[place] ?? 0)
}

import {readFile} from 'node:fs/promises'
import {capture} from '../../src/host/process.js'

const MAKE_TABLE = [
  'unshare',
  '--user',
  '--map-root-user',
  '--mount',
  'mount',
  '-t',
  'binfmt_misc',
  'none',
  '/mnt',
]

/** Why no user namespace can have a table of interpreters here, in words for a skipped test; false where it can. */
export async function whyNoTable(): Promise<string | false> {
  if (process.getuid?.() === 0) return 'root registers no interpreter for the whole machine'
  const {status, stderr} = await capture(MAKE_TABLE, {timeout: 10_000})
  return status === 0
    ? false
    : `this kernel gives a user namespace no table of interpreters: ${stderr.trim()}`
}

/** Whether the machine runs programs of arm64 for everybody. */
export async function isRegisteredForAll(): Promise<boolean> {
  const text = await readFile('/proc/sys/fs/binfmt_misc/qemu-aarch64', 'utf8').catch(() => '')
  return /^enabled$/m.test(text)
}

import {existsSync} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
// @ts-expect-error A plain script, which runs by itself too.
import {makeDebianRootfs} from '../../scripts/debian-rootfs.mjs'
import {takeLock} from '../../src/host/locks.js'

/**
 * A real minimal Debian archive, made once from the host's mirror and kept for a day.
 *
 * @returns Its path. The file is shared by all tests: read it only.
 */
export async function debianRootfs(): Promise<string> {
  const folder =
    process.env['ENVS_TEST_CACHE'] ?? join(tmpdir(), `envs-test-cache-${process.getuid?.() ?? 0}`)
  const path = join(folder, `debian-${new Date().toISOString().slice(0, 10)}.tar.gz`)
  if (existsSync(path)) return path
  await mkdir(dirname(path), {recursive: true, mode: 0o700})
  const lock = await takeLock(`${path}.lock`, {mode: 'exclusive', waitMs: 300_000})
  if (lock === undefined) throw new Error(`${path}.lock is held for five minutes`)
  try {
    makeDebianRootfs(path)
    return path
  } finally {
    lock.release()
  }
}

import {readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {type Bench, runAsCaller} from './invocation.js'
import {openProduct} from './product.js'

export type AptArchive = {
  /** A plain tar archive. */
  readonly path: string
  /** Number and size of its downloaded packages. */
  readonly packages: number
  readonly sizeBytes: number
}

/** APT's lists and downloads, without its locks and partial files. */
const APT_FILES = ['./var/lib/apt/lists', './var/cache/apt/archives'] as const

/**
 * Makes the original rootfs with APT's lists and packages: the state after an update and a download. An
 * environment downloads them; nothing else of it gets into the archive.
 *
 * @throws {InvocationFailedError}
 */
export async function aptArchive(
  rootfs: string,
  {bench, packages}: {bench: Bench; packages: readonly string[]},
): Promise<AptArchive> {
  const product = openProduct(bench, join(bench.folder, 'apt'))
  const path = join(bench.folder, 'apt.tar')
  try {
    // A plain tree, which tar reads from the host.
    const kind = ['--identity', 'emulated', '--storage', 'directory'] as const
    await product.run('create', rootfs, '--name', 'apt', ...kind, '--quiet')
    await product.run('run', 'apt', '--', 'apt-get', '-q', 'update')
    await product.run('run', 'apt', '--', 'apt-get', '-q', '-y', 'install', '--download-only', ...packages)
    const root = (await product.run('path', 'apt')).trim()
    await runAsCaller(['sh', '-c', 'gzip -dc "$0" >"$1"', rootfs, path], bench)
    const owners = ['--owner=root:0', '--group=root:0']
    const leftOut = ['--exclude=lock', '--exclude=partial']
    await runAsCaller(['tar', '-rf', path, ...owners, ...leftOut, '-C', root, ...APT_FILES], bench)
    return {path, ...(await countPackages(join(root, 'var/cache/apt/archives')))}
  } finally {
    await product.clear()
  }
}

async function countPackages(folder: string): Promise<{packages: number; sizeBytes: number}> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.deb'))
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folder, name))).size))
  return {packages: files.length, sizeBytes: sizes.reduce((sum, size) => sum + size, 0)}
}

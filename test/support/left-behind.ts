import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {SandboxedCli} from './cli.js'

/** What is there of environments, images and layers, finished or not, and of packages on their way: by path, sorted. */
export async function leftBehind({data, env}: Pick<SandboxedCli, 'data' | 'env'>): Promise<string[]> {
  const folders = [
    ...['environments', 'images', 'layers'].map((name) => join(data, name)),
    join(env['XDG_CACHE_HOME'] ?? '', 'envs/packages'),
  ]
  const entries = folders.map(async (folder) =>
    (await readdir(folder).catch(() => [])).map((name) => join(folder, name)),
  )
  const all = (await Promise.all(entries)).flat()
  return all.filter((path) => !/\/(?:images\/\.locks|packages\/sha256)$/.test(path)).sort()
}

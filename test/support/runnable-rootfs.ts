import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'
import {tarArchive, tarMember} from './tar-archive.js'
import {librariesOf} from './tool-packages.js'

/** The holder of an environment waits by sleep(1), or it would end between two sessions. */
const PROGRAMS = {'bin/sh': '/bin/sh', 'bin/true': '/usr/bin/true', 'bin/sleep': '/usr/bin/sleep'}
const ROOT = {uid: 0, gid: 0}

/**
 * A rootfs of three programs of this host and what they load: the smallest that can be entered.
 *
 * @param folder - Where the archive is put.
 * @returns Its path.
 */
export async function runnableRootfs(folder: string): Promise<string> {
  const path = join(folder, 'runnable.tar.gz')
  await writeFile(path, gzipSync(tarArchive(...(await runnableMembers())), {level: 1}))
  return path
}

/**
 * The members of such a rootfs.
 *
 * @param more - Programs besides the three, by their path in the rootfs.
 */
export async function runnableMembers(more: Readonly<Record<string, string>> = {}): Promise<Buffer[]> {
  const programs = {...PROGRAMS, ...more}
  const sources = Object.values(programs)
  const loaded = (await Promise.all(sources.map(librariesOf))).flat()
  const files = new Map([
    ...Object.entries(programs),
    ...loaded.map((path) => [path.slice(1), path] as const),
  ])
  const folders = new Set(['etc', 'usr', 'tmp', 'root', ...[...files.keys()].flatMap(parentsOf)])
  const members = [
    ...[...folders].sort().map((name) => tarMember({...ROOT, mode: 0o755, name: `./${name}/`, type: '5'})),
    tarMember({...ROOT, name: './etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n'}),
    tarMember({...ROOT, name: './etc/os-release', data: 'ID=tiny\n'}),
  ]
  for (const [name, source] of files)
    members.push(tarMember({...ROOT, mode: 0o755, name: `./${name}`, data: await readFile(source)}))
  return members
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

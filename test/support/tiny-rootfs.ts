import {createHash} from 'node:crypto'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {gzipSync} from 'node:zlib'
import {tarArchive, tarMember} from './tar-archive.js'

/** The last member of {@link tinyArchive}: a tree that has it was extracted to its end. */
export const LAST_MEMBER = 'zz-last'

/**
 * A rootfs of root's with nothing to run in it, for what never enters: far faster to make than a real one.
 *
 * @param files - So many files of 8 kB beside the few that are always there.
 */
function tinyArchive({files = 0}: {files?: number} = {}): Buffer {
  const many = Array.from({length: files}, (_, index) =>
    file(`./usr/file-${index}`, `${index} `.repeat(2000)),
  )
  return tarArchive(
    ...['./', './etc/', './usr/', './usr/bin/', './tmp/'].map(folder),
    file('./etc/os-release', 'ID=tiny\n'),
    ...many,
    file(`./${LAST_MEMBER}`, 'data'),
  )
}

const ROOT = {uid: 0, gid: 0}
const folder = (name: string) => tarMember({...ROOT, mode: 0o755, name, type: '5'})
const file = (name: string, data: string) => tarMember({...ROOT, data, name})

export type RootfsFile = {readonly path: string; readonly sha256: string; readonly bytes: Buffer}

/** {@link tinyArchive}, gzipped, in a file `tiny.tar.gz` that goes with the test. */
export async function tinyRootfs(t: TestContext, options?: {files?: number}): Promise<RootfsFile> {
  const folderPath = await mkdtemp(join(tmpdir(), 'envs-tiny-'))
  t.after(() => rm(folderPath, {force: true, recursive: true}))
  const bytes = gzipSync(tinyArchive(options))
  const path = join(folderPath, 'tiny.tar.gz')
  await writeFile(path, bytes)
  return {path, sha256: createHash('sha256').update(bytes).digest('hex'), bytes}
}

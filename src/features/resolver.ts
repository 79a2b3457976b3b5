import {constants} from 'node:fs'
import {chmod, mkdir, open, readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {ignoring, isErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {RESOLVER_MOUNT_POINT} from '../sandbox/mounts.js'
import type {SandboxFeature} from './feature.js'

/** The host's settings; followed when it is a link, as resolvers do. @see resolv.conf(5) */
const HOST_RESOLVER = '/etc/resolv.conf'

/** The guest resolves names as the host does: a folder with a copy of the host's settings. */
export const resolver: SandboxFeature = {
  id: 'resolver',
  engines: ['bwrap', 'unshare', 'proot'],
  beforeSession: ({environment}) => refreshResolver(environment.files.resolver, HOST_RESOLVER),
  apply: (spec, {environment}) => ({
    ...spec,
    mounts: [
      ...spec.mounts,
      {kind: 'bind', from: environment.files.resolver, at: RESOLVER_MOUNT_POINT, access: 'ro'},
    ],
  }),
}

/** A resolver's settings are a few lines; glibc itself reads no more than three servers. */
const MAX_RESOLVER_BYTES = 65_536

/**
 * Brings the guest's copy of the host's resolver settings up to date, so that a laptop that changes networks is
 * followed by what already runs.
 *
 * The guest's root can write to the folder in spite of its read-only mount: nothing there is followed or trusted, and
 * what can't be replaced is left to the guest that did it.
 *
 * @param source - The host's resolv.conf; a link is followed, and a missing one is an empty one.
 */
export async function refreshResolver(folder: string, source: string): Promise<void> {
  // Not recursive: the folder of an environment that has just been removed must not come back.
  for (const path of [dirname(folder), folder]) await mkdir(path, {mode: 0o755}).catch(ignoring('EEXIST'))
  // The guest's root may have taken our right to write there; when it gave the folder away, this fails too.
  await chmod(folder, 0o755).catch(ignoring('EPERM'))
  const wanted = (await readFile(source).catch(ignoring('ENOENT'))) ?? Buffer.alloc(0)
  const path = join(folder, 'resolv.conf')
  if ((await readPlain(path))?.equals(wanted) === true) return
  try {
    await writeFileAtomic(path, wanted, {mode: 0o644})
  } catch (error) {
    const isGuestsDoing = isErrno(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM')
    if (!isGuestsDoing) throw error
  }
}

async function readPlain(path: string): Promise<Buffer | undefined> {
  try {
    // Non-blocking: a FIFO in its place would block this process for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const {size} = await file.stat()
      return size > MAX_RESOLVER_BYTES ? undefined : await file.readFile()
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}

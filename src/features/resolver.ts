import {constants} from 'node:fs'
import {chmod, mkdir, open, readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {ignoring, isErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {readLiveAnchor, recordedNetwork} from '../sandbox/anchor-state.js'
import {RESOLVER_MOUNT_POINT} from '../sandbox/mounts.js'
import {type OwnNetwork, resolverHead} from '../sandbox/network/outlet.js'
import {networkOf} from '../store/record.js'
import type {SandboxFeature} from './feature.js'

/** The host's resolver settings. A symlink is followed, as resolvers do. @see resolv.conf(5) */
const HOST_RESOLVER = '/etc/resolv.conf'

/** Lets the guest resolve names as the host does, with a copy of the host's settings in a bind-mounted folder. */
export const resolver: SandboxFeature = {
  id: 'resolver',
  engines: ['bwrap', 'unshare', 'proot'],
  async beforeSession({environment: {files, record}}) {
    const isRunning = readLiveAnchor(files.run) !== undefined
    // The start of an environment with a network of its own lays the file, when it has chosen what leads out.
    if (!isRunning && networkOf(record) !== 'host') return
    await refreshResolver(files.resolver, HOST_RESOLVER, isRunning ? recordedNetwork(files.run) : undefined)
  },
  apply: (spec, {environment}) => ({
    ...spec,
    mounts: [
      ...spec.mounts,
      {kind: 'bind', from: environment.files.resolver, at: RESOLVER_MOUNT_POINT, access: 'ro'},
    ],
  }),
}

/** Resolver settings are a few lines, and glibc reads at most three servers. */
const MAX_FILE_BYTES = 65_536

/**
 * Updates the guest's copy of the host's resolver settings, so that a running environment follows a laptop that changes networks.
 *
 * @param source - The host's resolv.conf; a symlink is followed, and a missing file counts as empty.
 * @param network - A network of its own, in which the host's servers are not to be reached.
 */
export async function refreshResolver(
  folder: string,
  source = HOST_RESOLVER,
  network?: OwnNetwork | undefined,
): Promise<void> {
  const head = resolverHead(network)
  const found = (await readFile(source).catch(ignoring('ENOENT'))) ?? Buffer.alloc(0)
  const wanted =
    head === undefined ? found : Buffer.from(head + withoutServers(found.toString('latin1')), 'latin1')
  await refreshGuestFile(folder, 'resolv.conf', wanted)
}

/** The servers of the host may not be reached from another network. templates/host/join.pl does the same. */
function withoutServers(text: string): string {
  return text.replace(/^[ \t]*nameserver\b.*\n?/gm, '')
}

/**
 * Updates a file of the guest's /run/envs.
 *
 * The guest's root can write to the folder in spite of the read-only mount: no file in the folder is trusted, no symlink is
 * followed, and a file that can't be replaced stays.
 */
export async function refreshGuestFile(folder: string, name: string, wanted: Buffer): Promise<void> {
  // Not recursive: the folder of an environment that has just been removed must not come back.
  for (const path of [dirname(folder), folder]) await mkdir(path, {mode: 0o755}).catch(ignoring('EEXIST'))
  // The guest's root may have removed the write permission. If it changed the owner as well, chmod fails.
  await chmod(folder, 0o755).catch(ignoring('EPERM'))
  const path = join(folder, name)
  if ((await readUntrusted(path))?.equals(wanted) === true) return
  try {
    await writeFileAtomic(path, wanted, {mode: 0o644})
  } catch (error) {
    const isCausedByGuest = isErrno(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM')
    if (!isCausedByGuest) throw error
  }
}

async function readUntrusted(path: string): Promise<Buffer | undefined> {
  try {
    // Without O_NONBLOCK, a FIFO in place of the file would block this process forever.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const {size} = await file.stat()
      return size > MAX_FILE_BYTES ? undefined : await file.readFile()
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}

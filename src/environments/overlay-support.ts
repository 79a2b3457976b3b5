import {mkdir, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {release} from 'node:os'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {isMountingRoot} from '../host/privilege.js'
import {capture} from '../host/process.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {overlayTrial} from '../sandbox/overlay-trial.js'
import {canBeMounted} from '../storage/layered-mount.js'
import {StorageUnavailableError} from './errors.js'
import {removeLayerFolder} from './layer-folders.js'
import type {EnvironmentRecord} from './record.js'
import {toolPath} from './toolbox.js'

type Storage = EnvironmentRecord['storage']

const TIMEOUT_MS = 10_000

/**
 * How the files of a new environment are kept.
 *
 * @param setting - `auto` takes `overlay` where a trial of it succeeds.
 * @throws {StorageUnavailableError} When `overlay` was asked for by name and can't be had.
 */
export async function chooseStorage(
  setting: 'auto' | Storage,
  host: Host,
  identity: Identity,
): Promise<Storage> {
  if (setting === 'directory') return 'directory'
  if (await canStack(host, identity)) return 'overlay'
  if (setting === 'overlay') throw new StorageUnavailableError()
  return 'directory'
}

/** What a trial came to is kept, and made anew when the kernel, bwrap, or the store's file system is another. */
async function canStack(host: Host, identity: Identity): Promise<boolean> {
  const {layers, cache} = host.paths
  // Mounts of the host's root are locked against the guest, and its layers would be too.
  if (isMountingRoot(host) || !canBeMounted(layers)) return false
  await makeFolders(layers, {mode: 0o700})
  const key = await conditions(host, identity)
  const path = join(cache, `overlay-${identity}.json`)
  const known = await recall(path, key)
  if (known !== undefined) return known
  const works = await tryOut(host, identity)
  await makeFolders(cache, {mode: 0o700})
    .then(() => writeFileAtomic(path, `${JSON.stringify({key, works})}\n`, {mode: 0o600}))
    .catch(ignoreErrno)
  return works
}

async function conditions(host: Host, identity: Identity): Promise<string> {
  const bwrap = toolPath(host, 'bwrap')
  const [program, store] = await Promise.all([stat(bwrap), stat(host.paths.layers)])
  return [release(), bwrap, program.size, program.mtimeMs, store.dev, identity].join(' ')
}

async function recall(path: string, key: string): Promise<boolean | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof value !== 'object' || value === null || !('key' in value) || !('works' in value))
      return undefined
    return value.key === key && typeof value.works === 'boolean' ? value.works : undefined
  } catch {
    // Not there, or not ours: as good as never tried.
    return undefined
  }
}

async function tryOut(host: Host, identity: Identity): Promise<boolean> {
  const folder = await mkdtemp(join(host.paths.layers, `.trial.${identity}.`))
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(folder, name))
  if (lower === undefined || upper === undefined || work === undefined || merged === undefined) return false
  try {
    for (const each of [lower, upper, work, merged, join(lower, 'inner')]) await mkdir(each)
    for (const file of ['kept', 'gone', 'inner/file']) await writeFile(join(lower, file), 'x')
    const prefix = identity === 'mapped' ? await namespacePrefix(identity, host) : []
    const folders = {lower, upper, work, merged}
    const argv = overlayTrial({bwrap: toolPath(host, 'bwrap'), identity, prefix, folders})
    return (await capture(argv, {timeout: TIMEOUT_MS})).status === 0
  } finally {
    await removeLayerFolder(host, {identity, folder}).catch(() => rm(folder, {recursive: true, force: true}))
  }
}

function ignoreErrno(error: unknown): void {
  if (errnoOf(error) === undefined) throw error
}

import {randomBytes} from 'node:crypto'
import {existsSync, type Stats, statSync, utimesSync, writeFileSync} from 'node:fs'
import {chmod, lstat, opendir, readdir, rename, rmdir, unlink} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256} from '../host/digest.js'
import {ignoreFailure, ignoring, isErrno, isFailure} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {probeMapped} from '../host/id-mapping.js'
import {sharedPackages} from '../host/paths.js'
import {removeTree} from '../rootfs/worker/api.js'
import {treeProcess} from './tools.js'

/** Some ten thousand packages of a usual size; a desktop's are a tenth of it. */
const MOST_BYTES = 2 * 2 ** 30
/** Many times the number of packages that fit: a guest made more entries on purpose. */
const MOST_ENTRIES = 200_000
/** No copy takes this long: an older one was interrupted. A time in the future proves nothing, and counts as old. */
const MOST_COPY_MS = 24 * 60 * 60 * 1000
const HOUR_MS = 60 * 60 * 1000

type CachedPackage = {readonly path: Buffer; readonly bytes: number; readonly usedMs: number}

/** A guest left entries in the folder that can't be removed one by one. */
class HostileFolderError extends Error {}

/**
 * Limits the package cache to 2 GiB: removes the least recently used packages, and all other files. The folder is hostile: envs
 * follows no symlink in it, and replaces the whole folder when it contains folders with entries.
 *
 * Ignores failures of the host: garbage collection must not fail the command that runs it.
 */
export async function sweepPackages(host: Host, mostBytes = MOST_BYTES): Promise<void> {
  const folder = sharedPackages(host.paths)
  if (!existsSync(host.paths.packages)) return
  try {
    await removeDropped(host)
    // Not through a symlink: no guest can write to the parent folder, nor replace this folder, a mount point in the guest.
    await chmod(folder, 0o700)
    await removeUnused(await readKept(folder, host.now().getTime()), mostBytes)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    if (!(error instanceof HostileFolderError) && !isFailure(error)) throw error
    await drop(host, folder).catch(ignoreFailure)
  }
}

/**
 * As {@link sweepPackages}, at most once an hour: each command that makes an environment calls it, and the cache may contain
 * thousands of packages.
 */
export async function sweepPackagesHourly(host: Host): Promise<void> {
  const {cache, packages} = host.paths
  const mark = join(cache, 'packages-swept')
  const sweptAtMs = statSync(mark, {throwIfNoEntry: false})?.mtimeMs
  const now = host.now()
  // A time in the future means that the clock was set back.
  if (sweptAtMs !== undefined && Math.abs(now.getTime() - sweptAtMs) < HOUR_MS) return
  if (!existsSync(packages)) return
  await sweepPackages(host)
  try {
    writeFileSync(mark, '', {mode: 0o600})
    utimesSync(mark, now, now)
  } catch (error) {
    ignoreFailure(error)
  }
}

/** Returns the packages, after all other entries were removed. @throws {HostileFolderError} */
async function readKept(folder: string, nowMs: number): Promise<CachedPackage[]> {
  const kept: CachedPackage[] = []
  let entries = 0
  for await (const {name} of await opendir(folder, {encoding: 'latin1'})) {
    if (++entries > MOST_ENTRIES) throw new HostileFolderError('too many entries')
    const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')])
    const status = await lstat(path).catch(ignoring('ENOENT'))
    if (status === undefined) continue
    if (!status.isFile() || !isWanted(name, status, nowMs)) await remove(path, status)
    else kept.push({path, bytes: status.blocks * 512, usedMs: status.mtimeMs})
  }
  return kept
}

function isWanted(name: string, {mtimeMs}: Stats, nowMs: number): boolean {
  return isSha256(name) || (name.startsWith('.partial-') && Math.abs(nowMs - mtimeMs) < MOST_COPY_MS)
}

async function remove(path: Buffer, status: Stats): Promise<void> {
  if (!status.isDirectory()) {
    await unlink(path).catch(ignoring('ENOENT'))
    return
  }
  await rmdir(path).catch((error: unknown) => {
    throw isErrno(error) ? new HostileFolderError('a folder in it', {cause: error}) : error
  })
}

async function removeUnused(kept: CachedPackage[], mostBytes: number): Promise<void> {
  let bytes = kept.reduce((sum, file) => sum + file.bytes, 0)
  for (const file of kept.sort((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= mostBytes) return
    await unlink(file.path).catch(ignoring('ENOENT'))
    bytes -= file.bytes
  }
}

const DROPPED = '.removed.'

/** Renames the folder, so that no guest reaches it, and removes it. Running environments share no packages until they restart. */
async function drop(host: Host, folder: string): Promise<void> {
  await rename(folder, join(host.paths.packages, `${DROPPED}${randomBytes(4).toString('hex')}`))
  await removeDropped(host)
}

async function removeDropped(host: Host): Promise<void> {
  const names = (await readdir(host.paths.packages)).filter((name) => name.startsWith(DROPPED))
  if (names.length === 0) return
  // A guest with the identity mapped may have given files to other ids of its range.
  const identity = (await probeMapped(host)).works ? 'mapped' : 'emulated'
  for (const name of names) {
    await removeTree(await treeProcess(host, identity), join(host.paths.packages, name)).catch(ignoreFailure)
  }
}

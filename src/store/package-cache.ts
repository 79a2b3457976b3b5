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
/** Many times what fits; more of them are somebody's mischief. */
const MOST_ENTRIES = 200_000
/** No copy takes so long: what is older was broken off, and its time says nothing when it is to come. */
const MOST_COPY_MS = 24 * 60 * 60 * 1000
const HOUR_MS = 60 * 60 * 1000

type Kept = {readonly path: Buffer; readonly bytes: number; readonly usedMs: number}

/** What a guest has left, which can't be taken away entry by entry. */
class SpoiltFolder extends Error {}

/**
 * Keeps the packages that environments share below 2 GiB, those used last for longest, and takes away what is no
 * package. The folder is hostile: no link in it is followed, and where more than files was left, all of it goes.
 *
 * Tidying up is nobody's errand: where it can't be done, the command that came by goes on.
 */
export async function sweepPackages(host: Host, mostBytes = MOST_BYTES): Promise<void> {
  const folder = sharedPackages(host.paths)
  if (!existsSync(host.paths.packages)) return
  try {
    await removeDropped(host)
    // Not by a link: the folder above is the user's own, and what a guest has is mounted, which nothing replaces.
    await chmod(folder, 0o700)
    await removeUnused(await readKept(folder, host.now().getTime()), mostBytes)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    if (!(error instanceof SpoiltFolder) && !isFailure(error)) throw error
    await drop(host, folder).catch(ignoreFailure)
  }
}

/**
 * The same, not more often than once an hour: every command that makes an environment comes by, and there can be thousands
 * of packages to look at.
 */
export async function sweepPackagesHourly(host: Host): Promise<void> {
  const {cache, packages} = host.paths
  const mark = join(cache, 'packages-swept')
  const sweptAtMs = statSync(mark, {throwIfNoEntry: false})?.mtimeMs
  const now = host.now()
  // A time to come is a clock that was set back.
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

/** Packages, after all else is gone. @throws {SpoiltFolder} */
async function readKept(folder: string, nowMs: number): Promise<Kept[]> {
  const kept: Kept[] = []
  let entries = 0
  for await (const {name} of await opendir(folder, {encoding: 'latin1'})) {
    if (++entries > MOST_ENTRIES) throw new SpoiltFolder('too many entries')
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
    throw isErrno(error) ? new SpoiltFolder('a folder in it', {cause: error}) : error
  })
}

async function removeUnused(kept: Kept[], mostBytes: number): Promise<void> {
  let bytes = kept.reduce((sum, file) => sum + file.bytes, 0)
  for (const file of kept.sort((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= mostBytes) return
    await unlink(file.path).catch(ignoring('ENOENT'))
    bytes -= file.bytes
  }
}

const DROPPED = '.removed.'

/** Moved out of every guest's sight first. Environments that run share nothing until they start anew. */
async function drop(host: Host, folder: string): Promise<void> {
  await rename(folder, join(host.paths.packages, `${DROPPED}${randomBytes(4).toString('hex')}`))
  await removeDropped(host)
}

async function removeDropped(host: Host): Promise<void> {
  const names = (await readdir(host.paths.packages)).filter((name) => name.startsWith(DROPPED))
  if (names.length === 0) return
  // A guest with ids of its own may have given files away to them.
  const identity = (await probeMapped(host)).works ? 'mapped' : 'emulated'
  for (const name of names) {
    await removeTree(await treeProcess(host, identity), join(host.paths.packages, name)).catch(ignoreFailure)
  }
}

import assert from 'node:assert/strict'
import {once} from 'node:events'
import {closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {errnoOf} from '../../src/errors.js'
import {pipeOf, start, started} from '../../src/host/process.js'
import type {Scope} from './cli.js'

/** What tmpfs gives a file at a time. */
const PAGE_BYTES = 4096

/** A disk with room for little, which is there for programs behind {@link SmallDisk.behind}. */
export type SmallDisk = {
  /** Words before a program that is to see it; it runs as the caller still. */
  readonly behind: readonly string[]
  /** Where it is for them. */
  readonly folder: string
  /** The same place, as it is reached from here. */
  readonly outside: string
  /** Leaves so many pages free. */
  leave(pages: number): void
  /** Frees what {@link SmallDisk.leave} took. */
  free(): void
}

/** A tmpfs of a user namespace, and one more inside, in which the caller is nobody but itself as on any host. */
export async function smallDisk(scope: Scope, {megabytes}: {megabytes: number}): Promise<SmallDisk> {
  const folder = mkdtempSync(join(tmpdir(), 'envs-small-'))
  const [uid, gid] = [process.getuid?.(), process.getgid?.()]
  const script = `mount -t tmpfs -o size=${megabytes}m,mode=700 tmpfs "$1"
    exec unshare --user --map-user=${uid} --map-group=${gid} -- sh -c 'echo ready; read -r _'`
  const holder = start(['unshare', '--map-root-user', '--mount', '--', 'sh', '-ec', script, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await started(holder)
  scope.after(async () => {
    pipeOf(holder, 0).end()
    await once(holder, 'exit')
    rmSync(folder, {recursive: true})
  })
  const [first] = await Promise.race([once(pipeOf(holder, 1), 'data'), once(holder, 'exit')])
  assert.equal(String(first), 'ready\n', 'the small disk did not come up')
  const outside = `/proc/${holder.pid}/root${folder}`
  const ballast = join(outside, 'ballast')
  const free = () => rmSync(ballast, {force: true})
  return {
    behind: ['nsenter', '--target', `${holder.pid}`, '--user', '--mount', '--preserve-credentials', '--'],
    folder,
    outside,
    free,
    leave(pages) {
      free()
      const size = fill(ballast)
      truncateSync(ballast, size - pages * PAGE_BYTES)
    },
  }
}

/** @returns How many bytes there was room for. */
function fill(path: string): number {
  const page = Buffer.alloc(PAGE_BYTES, 1)
  const fd = openSync(path, 'wx', 0o600)
  let size = 0
  try {
    for (;;) size += writeSync(fd, page)
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
    return size
  } finally {
    closeSync(fd)
  }
}

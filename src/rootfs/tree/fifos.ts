import {chmodSync, lchownSync, mkdtempSync, renameSync, rmSync, utimesSync} from 'node:fs'
import {join} from 'node:path'
import {archiveToolMissingError} from '../../compression/errors.js'
import {capture} from '../../host/process.js'
import type {Member} from '../tar/member.js'
import {modificationTime} from './modification-time.js'
import type {Owners} from './owners.js'
import type {RootedPaths} from './rooted-paths.js'

/** Names for one call; argv holds at least 128 KiB. */
const BATCH = 500

/**
 * Makes FIFOs with mkfifo(1), because Node has no call for it: first under plain names, then renamed, because
 * arguments are text and names are bytes.
 *
 * @throws {@link archiveToolMissingError}
 * @throws {NodeJS.ErrnoException}
 */
export async function makeFifos(
  root: string,
  fifos: ReadonlyMap<string, Member>,
  {
    paths,
    owners,
    which,
  }: {paths: RootedPaths; owners: Owners; which: (program: string) => string | undefined},
): Promise<void> {
  const mkfifo = which('mkfifo')
  if (mkfifo === undefined)
    throw archiveToolMissingError({
      program: 'mkfifo',
      hostPackage: 'coreutils',
      purpose: 'to make the FIFOs of this archive',
    })
  const nursery = mkdtempSync(join(root, '.envs-fifos-'))
  try {
    const todo = [...fifos]
    for (let at = 0; at < todo.length; at += BATCH) {
      const batch = todo.slice(at, at + BATCH)
      const names = batch.map((_, index) => join(nursery, String(at + index)))
      const {status} = await capture([mkfifo, '--', ...names])
      if (status !== 0) throw new Error(`mkfifo ended with status ${status} in ${nursery}`)
      for (const [index, [path, member]] of batch.entries()) {
        const name = names[index]
        if (name !== undefined) settle(name, path, member)
      }
    }
  } finally {
    rmSync(nursery, {recursive: true, force: true})
  }

  function settle(name: string, path: string, member: Member): void {
    const owner = owners.ownerFor(member)
    if (owner !== undefined) lchownSync(name, owner.uid, owner.gid)
    chmodSync(name, member.mode)
    utimesSync(name, modificationTime(member.modified), modificationTime(member.modified))
    // Resolved again: a later member may have replaced a folder by a link.
    renameSync(name, paths.absolute(paths.resolvePlace(path)))
  }
}

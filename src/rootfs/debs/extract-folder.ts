import {mkdirSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {memberPath} from '../tree/member-path.js'
import {abortable} from './abortable.js'
import {packageRefusedError} from './errors.js'
import {openHostFile} from './host-file.js'
import {type DebFile, openDeb} from './open-deb.js'

/** Size of all files; perl-base has 8 MB. */
const MAX_BYTES = 256 * 2 ** 20

export type FolderWish = {
  /** Matches the paths of the wanted files, with the group `name`: the path below the new folder. */
  readonly place: RegExp
  /** Path of the new folder. */
  readonly into: string
}

/**
 * Extracts the files of one folder of a package, for use on the host. Leaves out links.
 *
 * @throws {PackageRefusedError} If there is no such file, the files are too large, or two have the same name.
 * @throws As `openDeb`; {NodeJS.ErrnoException}
 */
export async function extractFolder(
  deb: DebFile,
  wish: FolderWish,
  {which, signal}: {which: (program: string) => string | undefined; signal?: AbortSignal | undefined},
): Promise<void> {
  const {data, close} = await openDeb(deb, which)
  const sink = openFolderSink(deb.name, wish)
  try {
    await readTar(abortable(data, signal), sink, DEFAULT_LIMITS)
  } finally {
    sink.end()
    await close()
  }
  if (sink.taken.size === 0)
    throw packageRefusedError({name: deb.name, reason: 'it has none of the requested files'})
}

function openFolderSink(
  packageName: string,
  {place, into}: FolderWish,
): MemberSink & {readonly taken: ReadonlySet<string>} {
  const file = openHostFile()
  const taken = new Set<string>()
  let bytes = 0

  function begin(member: Member): void {
    if (member.kind !== 'file') return
    const name = place.exec(memberPath(member.name, DEFAULT_LIMITS))?.groups?.['name']
    if (name === undefined) return
    bytes += member.sizeBytes
    if (bytes > MAX_BYTES) throw packageRefusedError({name: packageName, reason: 'its files are too large'})
    if (taken.has(name)) throw packageRefusedError({name: packageName, reason: `it has two files ${name}`})
    taken.add(name)
    const path = join(into, name)
    mkdirSync(dirname(path), {recursive: true, mode: 0o700})
    file.open(path)
  }

  return {taken, begin, data: file.data, end: file.end}
}

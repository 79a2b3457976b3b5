import {symlinkSync} from 'node:fs'
import {join} from 'node:path'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {memberPath} from '../tree/member-path.js'
import {packageRefusedError} from './errors.js'
import {openHostFile} from './host-file.js'
import {type DebFile, openDeb} from './open-deb.js'

/** Size of one library. */
const MAX_BYTES = 64 * 2 ** 20
/** Folders of the dynamic linker, without subfolders, which contain plug-ins. @see ld.so(8) */
const PLACE = /^(?:usr\/)?lib(?:32|64|x32)?\/(?:[^/]+\/)?(?<name>[A-Za-z0-9+_.-]+)$/
const LIBRARY = /^[A-Za-z0-9+_-][A-Za-z0-9+_.-]*\.so(?:\.[0-9.]+)?$/

/**
 * Extracts the libraries of a package into one folder, for use on the host.
 *
 * @throws {PackageRefusedError} If one is too large, or two have the same name.
 * @throws As `openDeb`; {NodeJS.ErrnoException}
 */
export async function extractLibraries(
  deb: DebFile,
  folder: string,
  {which}: {which: (program: string) => string | undefined},
): Promise<void> {
  const {data, close} = await openDeb(deb, which)
  const sink = openLibrarySink(deb.name, folder)
  try {
    await readTar(data, sink, DEFAULT_LIMITS)
  } finally {
    sink.end()
    await close()
  }
}

function openLibrarySink(packageName: string, folder: string): MemberSink {
  const file = openHostFile()
  const taken = new Set<string>()

  function begin(member: Member): void {
    const name = PLACE.exec(memberPath(member.name, DEFAULT_LIMITS))?.groups?.['name']
    if (name === undefined || !LIBRARY.test(name)) return
    // Links to other folders would not work in the new folder.
    const isWanted = member.kind === 'file' || (member.kind === 'symlink' && LIBRARY.test(member.target))
    if (!isWanted) return
    if (taken.has(name))
      throw packageRefusedError({name: packageName, reason: `it has two libraries ${name}`})
    taken.add(name)
    if (member.kind === 'symlink') symlinkSync(member.target, join(folder, name))
    else openLibrary(member, name)
  }

  function openLibrary({sizeBytes}: Extract<Member, {kind: 'file'}>, name: string): void {
    if (sizeBytes > MAX_BYTES)
      throw packageRefusedError({name: packageName, reason: `its ${name} is not a library`})
    file.open(join(folder, name))
  }

  return {begin, data: file.data, end: file.end}
}

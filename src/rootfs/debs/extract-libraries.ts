import {closeSync, constants, fchmodSync, openSync, symlinkSync, writeSync} from 'node:fs'
import {join} from 'node:path'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {memberPath} from '../tree/member-path.js'
import {PackageRefusedError} from './errors.js'
import {type DebFile, openDeb} from './open-deb.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** Of one library. */
const MAX_BYTES = 64 * 2 ** 20
/** Where the dynamic linker looks; not folders below, which hold plug-ins. @see ld.so(8) */
const PLACE = /^(?:usr\/)?lib(?:32|64|x32)?\/(?:[^/]+\/)?(?<name>[A-Za-z0-9+_.-]+)$/
const LIBRARY = /^[A-Za-z0-9+_-][A-Za-z0-9+_.-]*\.so(?:\.[0-9.]+)?$/

/**
 * Takes the libraries out of a package, for the host's own use, into one folder; nothing else of it is written.
 *
 * @throws {PackageRefusedError} When one is too large, or two have a name.
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
  let fd: number | undefined
  const taken = new Set<string>()

  function begin(member: Member): void {
    const name = PLACE.exec(memberPath(member.name, DEFAULT_LIMITS))?.groups?.['name']
    if (name === undefined || !LIBRARY.test(name)) return
    // Links to other folders are for other places than this one.
    const isWanted = member.kind === 'file' || (member.kind === 'symlink' && LIBRARY.test(member.target))
    if (!isWanted) return
    if (taken.has(name)) throw new PackageRefusedError(packageName, `it has two libraries ${name}`)
    taken.add(name)
    if (member.kind === 'symlink') symlinkSync(member.target, join(folder, name))
    else fd = openLibrary(member, name)
  }

  function openLibrary({sizeBytes}: Extract<Member, {kind: 'file'}>, name: string): number {
    if (sizeBytes > MAX_BYTES) throw new PackageRefusedError(packageName, `its ${name} is no library`)
    const opened = openSync(join(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o700)
    fchmodSync(opened, 0o755)
    return opened
  }

  return {
    begin,
    data(bytes, offset) {
      if (fd === undefined) return
      for (let done = 0; done < bytes.length; )
        done += writeSync(fd, bytes, done, bytes.length - done, offset + done)
    },
    end() {
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}

import {closeSync, constants, fchmodSync, mkdirSync, openSync, symlinkSync, writeSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {packageRefusedError} from '../errors.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {readTar} from '../tar/reader.js'
import {memberPath} from '../tree/paths.js'
import {type DebFile, openDeb} from './deb.js'

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

/** Passes the bytes on until an abort. */
async function* abortable(
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    signal?.throwIfAborted()
    yield piece
  }
}

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** Writes members of a package to new files, which the owner can execute and nobody else can write. */
export type HostFile = Pick<MemberSink, 'data' | 'end'> & {
  /** Begins a new file at this path. @throws {NodeJS.ErrnoException} */
  open(path: string): void
}

/** @returns A sink that discards data while no file is open. */
function openHostFile(): HostFile {
  let fd: number | undefined
  return {
    open(path) {
      fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o700)
      fchmodSync(fd, 0o755)
    },
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

/** Size of one library. */
const MAX_LIBRARY_BYTES = 64 * 2 ** 20
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
    if (sizeBytes > MAX_LIBRARY_BYTES)
      throw packageRefusedError({name: packageName, reason: `its ${name} is not a library`})
    file.open(join(folder, name))
  }

  return {begin, data: file.data, end: file.end}
}

/**
 * Extracts single programs of a package, for use on the host.
 *
 * @param programs - Paths of new files, by path in the package: `usr/bin/qemu-arm`.
 * @throws {PackageRefusedError} If one is missing, is not a file, or is too large.
 * @throws As `openDeb`; {NodeJS.ErrnoException}
 */
export async function extractPrograms(
  deb: DebFile,
  programs: ReadonlyMap<string, string>,
  {which, signal}: {which: (program: string) => string | undefined; signal?: AbortSignal | undefined},
): Promise<void> {
  const {data, close} = await openDeb(deb, which)
  const sink = openProgramSink(deb.name, programs)
  try {
    await readTar(abortable(data, signal), sink, DEFAULT_LIMITS)
  } finally {
    sink.end()
    await close()
  }
  const missing = [...programs.keys()].find((name) => !sink.written.has(name))
  if (missing !== undefined)
    throw packageRefusedError({name: deb.name, reason: `it has no program ${missing}`})
}

function openProgramSink(
  name: string,
  programs: ReadonlyMap<string, string>,
): MemberSink & {readonly written: ReadonlySet<string>} {
  const written = new Set<string>()
  const file = openHostFile()

  function begin(member: Member): void {
    const path = memberPath(member.name, DEFAULT_LIMITS)
    const destination = programs.get(path)
    if (destination === undefined) return
    if (member.kind !== 'file' || member.sizeBytes > MAX_BYTES)
      throw packageRefusedError({name, reason: `its ${path} is not a program`})
    file.open(destination)
    written.add(path)
  }

  return {written, begin, data: file.data, end: file.end}
}

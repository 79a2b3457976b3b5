import {DEFAULT_LIMITS} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {memberPath} from '../tree/member-path.js'
import {abortable} from './abortable.js'
import {packageRefusedError} from './errors.js'
import {openHostFile} from './host-file.js'
import {type DebFile, openDeb} from './open-deb.js'

/** Size of one program. */
const MAX_BYTES = 256 * 2 ** 20

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

import {parseParagraphs} from '../../apt/format/control.js'
import {packageRefusedError} from '../errors.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Timestamp} from '../tar/member.js'
import {readTar} from '../tar/reader.js'

/** A control file of a package: `postinst`, `triggers`, … */
export type ControlFile = {readonly content: Buffer; readonly mode: number; readonly modified: Timestamp}

/** The control data of a package; texts are byte strings (latin1). */
export type PackageControl = {
  readonly name: string
  readonly architecture: string
  readonly version: string
  /** Whether several architectures may be installed, so that dpkg's file names include the architecture. */
  readonly isMultiArchSame: boolean
  /** Names of packages whose files it may replace. */
  readonly replaces: ReadonlySet<string>
  /** The paragraph, without the newline at its end. */
  readonly paragraph: string
  /** All control files except for `control`, by name. */
  readonly files: ReadonlyMap<string, ControlFile>
}

/** Size of all files; that of a kernel is under a megabyte. */
const MOST_BYTES = 32 * 2 ** 20
/** Names of dpkg's files for a package; no other text may become a part of a path. */
const NAME = /^[a-z0-9][a-z0-9+.-]+$/
const ARCHITECTURE = /^[a-z0-9][a-z0-9-]*$/
const FILE = /^[a-z0-9][a-z0-9.-]{0,63}$/

/**
 * Reads a package's control archive.
 *
 * @param expected - Name of the package in the index.
 * @throws {PackageRefusedError} @throws {CorruptArchiveError}
 * @see deb-control(5); deb(5): the files are in the root
 */
export async function readControl(source: AsyncIterable<Buffer>, expected: string): Promise<PackageControl> {
  const files = await readFiles(source, expected)
  const control = files.get('control')?.content
  if (control === undefined) throw packageRefusedError({name: expected, reason: 'it has no control file'})
  const [paragraph] = parseParagraphs(control, [
    'Package',
    'Version',
    'Architecture',
    'Multi-Arch',
    'Replaces',
  ])
  const [name, version, architecture, multiArch, replaces = ''] = paragraph ?? []
  if (name !== expected || !NAME.test(name))
    throw packageRefusedError({name: expected, reason: 'it is another package'})
  if (version === undefined || architecture === undefined || !ARCHITECTURE.test(architecture))
    throw packageRefusedError({name: expected, reason: 'its control file is incomplete'})
  files.delete('control')
  return {
    ...{name, version, architecture, files},
    isMultiArchSame: multiArch === 'same',
    replaces: new Set(replaces.split(/[,|]/).map((each) => each.trim().replace(/[\s(:].*$/s, ''))),
    paragraph: paragraphOf(control),
  }
}

async function readFiles(source: AsyncIterable<Buffer>, name: string): Promise<Map<string, ControlFile>> {
  const files = new Map<string, ControlFile>()
  let pieces: Buffer[] = []
  let current: {name: string; mode: number; modified: Timestamp} | undefined
  let bytes = 0
  await readTar(
    source,
    {
      begin(member) {
        if (member.kind === 'folder') return
        const file = member.name.replace(/^(?:\.?\/)*/, '')
        if (member.kind !== 'file' || !FILE.test(file))
          throw packageRefusedError({name, reason: `its control archive has an unexpected member`})
        bytes += member.sizeBytes
        if (bytes > MOST_BYTES) throw packageRefusedError({name, reason: 'its control archive is too large'})
        current = {name: file, mode: member.mode & 0o777, modified: member.modified}
        pieces = []
      },
      data: (piece) => void pieces.push(Buffer.from(piece)),
      end() {
        if (current === undefined) return
        const {name: file, mode, modified} = current
        files.set(file, {content: Buffer.concat(pieces), mode, modified})
        current = undefined
      },
    },
    DEFAULT_LIMITS,
  )
  return files
}

/** Removes comments, and empty lines, which would end the paragraph in dpkg's list. */
function paragraphOf(control: Buffer): string {
  const lines = control.toString('latin1').split('\n')
  return lines.filter((line) => line.trim() !== '' && !line.startsWith('#')).join('\n')
}

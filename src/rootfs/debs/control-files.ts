import {parseParagraphs} from '../../debian/control.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Timestamp} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {packageRefusedError} from './errors.js'

/** One of the files that a package brings for dpkg: `postinst`, `triggers`, … */
export type ControlFile = {readonly content: Buffer; readonly mode: number; readonly modified: Timestamp}

/** What a package says of itself to dpkg; texts are byte strings (latin1). */
export type PackageControl = {
  readonly name: string
  readonly architecture: string
  readonly version: string
  /** Whether it may be there for several architectures, so that dpkg's files for it name the one. */
  readonly isMultiArchSame: boolean
  /** Names of packages whose files it may take over. */
  readonly replaces: ReadonlySet<string>
  /** The paragraph, without the newline at its end. */
  readonly paragraph: string
  /** All files but `control`, by name. */
  readonly files: ReadonlyMap<string, ControlFile>
}

/** Of all files together; that of a kernel is under a megabyte. */
const MOST_BYTES = 32 * 2 ** 20
/** What dpkg's files of a package are called by; nothing else may become part of a path. */
const NAME = /^[a-z0-9][a-z0-9+.-]+$/
const ARCHITECTURE = /^[a-z0-9][a-z0-9-]*$/
const FILE = /^[a-z0-9][a-z0-9.-]{0,63}$/

/**
 * Reads a package's control archive.
 *
 * @param expected - The name by which the archive's index has the package.
 * @throws {PackageRefusedError} @throws {CorruptArchiveError}
 * @see deb-control(5); deb(5): the files lie at the top
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

/** Comments are none of dpkg's business, and an empty line would end the paragraph in its list. */
function paragraphOf(control: Buffer): string {
  const lines = control.toString('latin1').split('\n')
  return lines.filter((line) => line.trim() !== '' && !line.startsWith('#')).join('\n')
}

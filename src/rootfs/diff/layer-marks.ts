import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {ended, readErrorOutput, requirePerl, scriptWords, start} from '../../host/process.js'

/** Extended attributes of the files of one folder; paths are byte strings (latin1) relative to it. */
export type LayerMarks = {
  /** Opaque folders, which hide the layers below. */
  readonly opaque: ReadonlySet<string>
  /** Values of security.capability in hexadecimal, by path. */
  readonly capabilities: ReadonlyMap<string, string>
}

export const NO_MARKS: LayerMarks = {opaque: new Set(), capabilities: new Map()}

/** Of all marks of all folders; a desktop has some kilobytes. */
const MOST_BYTES = 64 * 2 ** 20

type HostTools = {
  readonly which: (program: string) => string | undefined
  readonly architecture: DebArchitecture
}

/**
 * Returns the marks of folders, in their order, by a program: Node has no call for extended attributes.
 * Follows no link. Reads at most MOST_BYTES, which only hostile guests exceed.
 *
 * @throws {PerlMissingError}
 * @throws {Error} If the program fails.
 * @see lgetxattr(2); the kernel's Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"
 */
export async function readLayerMarks(
  folders: readonly string[],
  {which, architecture}: HostTools,
): Promise<LayerMarks[]> {
  const argv = [
    ...scriptWords(requirePerl({which}), 'list-layer'),
    String(systemCalls(architecture).lgetxattr),
  ]
  return parseLayerMarks(await outputOf([...argv, ...folders]), folders.length)
}

async function outputOf(argv: readonly string[]): Promise<string> {
  const child = start(argv, {cwd: '/', stdio: ['ignore', 'pipe', 'pipe']})
  const chunks: Buffer[] = []
  let bytes = 0
  child.stdout?.on('data', (chunk: Buffer) => {
    if (bytes < MOST_BYTES) chunks.push(chunk)
    bytes += chunk.length
  })
  const [exit, complaint] = await Promise.all([ended(child), readErrorOutput(child)])
  if (exit.status !== 0) throw new Error(`list-layer ended with status ${exit.status}: ${complaint}`)
  return Buffer.concat(chunks).toString('latin1')
}

/** @param text - As list-layer.pl prints it, one character a byte; an incomplete last record is ignored. */
export function parseLayerMarks(text: string, folders: number): LayerMarks[] {
  const marks = Array.from({length: folders}, () => ({
    opaque: new Set<string>(),
    capabilities: new Map<string, string>(),
  }))
  const fields = text.split('\0')
  for (let at = 0; at + 3 < fields.length; at += 3) {
    const [index = '', what = '', path = ''] = fields.slice(at, at + 3)
    if (what === 'opaque') marks[Number(index)]?.opaque.add(path)
    else marks[Number(index)]?.capabilities.set(path, what)
  }
  return marks
}

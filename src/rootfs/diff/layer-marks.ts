import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {ended, readErrorOutput, requirePerl, scriptWords, start} from '../../host/process.js'
import {layerRefusedError} from '../errors.js'

/** Extended attributes of the files of one folder; paths are byte strings (latin1) relative to it. */
export type LayerMarks = {
  /** Opaque folders, which hide the layers below. */
  readonly opaque: ReadonlySet<string>
  /** Values of security.capability in hexadecimal, by path. */
  readonly capabilities: ReadonlyMap<string, string>
  /** Attributes `user.*` by path, then by name; empty unless asked for. Names are byte strings (latin1). */
  readonly users: ReadonlyMap<string, ReadonlyMap<string, Buffer>>
}

export const NO_MARKS: LayerMarks = {opaque: new Set(), capabilities: new Map(), users: new Map()}

/** From lgetxattr(2) to llistxattr(2), whose numbers are in one row on all processors. */
const FROM_GET_TO_LIST = 3

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
 * @param options.withUsers - Whether attributes `user.*` are read too.
 * @throws {PerlMissingError} @throws {@link layerRefusedError} When asked for the attributes of users and they are too many.
 * @throws {Error} If the program fails.
 * @see lgetxattr(2); the kernel's Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"
 */
export async function readLayerMarks(
  folders: readonly string[],
  {which, architecture}: HostTools,
  {withUsers = false}: {readonly withUsers?: boolean} = {},
): Promise<LayerMarks[]> {
  const {lgetxattr} = systemCalls(architecture)
  const argv = [
    ...scriptWords(requirePerl({which}), 'files/list-layer'),
    ...[String(lgetxattr), String(withUsers ? lgetxattr + FROM_GET_TO_LIST : 0)],
  ]
  const {text, isWhole} = await outputOf([...argv, ...folders])
  // Without its marks, a layer would show what it removes.
  if (withUsers && !isWhole)
    throw layerRefusedError({path: '/', reason: `its extended attributes are over ${MOST_BYTES} bytes`})
  return parseLayerMarks(text, folders.length)
}

async function outputOf(argv: readonly string[]): Promise<{text: string; isWhole: boolean}> {
  const child = start(argv, {cwd: '/', stdio: ['ignore', 'pipe', 'pipe']})
  const chunks: Buffer[] = []
  let bytes = 0
  child.stdout?.on('data', (chunk: Buffer) => {
    if (bytes < MOST_BYTES) chunks.push(chunk)
    bytes += chunk.length
  })
  const [exit, complaint] = await Promise.all([ended(child), readErrorOutput(child)])
  if (exit.status !== 0) throw new Error(`list-layer ended with status ${exit.status}: ${complaint}`)
  return {text: Buffer.concat(chunks).toString('latin1'), isWhole: bytes < MOST_BYTES}
}

/** @param text - As list-layer.pl prints it, one character a byte; an incomplete last record is ignored. */
export function parseLayerMarks(text: string, folders: number): LayerMarks[] {
  const marks = Array.from({length: folders}, () => ({
    opaque: new Set<string>(),
    capabilities: new Map<string, string>(),
    users: new Map<string, Map<string, Buffer>>(),
  }))
  const fields = text.split('\0')
  for (let at = 0; at + 3 < fields.length; at += 3) {
    const [index = '', what = '', path = ''] = fields.slice(at, at + 3)
    const of = marks[Number(index)]
    const equals = what.lastIndexOf('=')
    if (what === 'opaque') of?.opaque.add(path)
    else if (equals === -1) of?.capabilities.set(path, what)
    else {
      const attributes = of?.users.get(path) ?? new Map<string, Buffer>()
      attributes.set(what.slice(0, equals), Buffer.from(what.slice(equals + 1), 'hex'))
      of?.users.set(path, attributes)
    }
  }
  return marks
}

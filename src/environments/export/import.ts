import {closeSync, constants, fstatSync, openSync} from 'node:fs'
import {resolve} from 'node:path'
import {Readable} from 'node:stream'
import type {Settings} from '../../config/settings.js'
import {type DebArchitecture, namedArchitecture} from '../../host/arch.js'
import {unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {StandardInput} from '../../images/local.js'
import type {ImageContext} from '../../images/sources/source.js'
import {type ExportNote, readExportNote} from '../../rootfs/export/note.js'
import {isEnvironmentName} from '../../store/environments.js'
import {type CreateRequest, type CreateWish, planCreation} from '../create/request.js'

/** What the user said of an archive to be imported, as typed. */
export type ImportWish = Omit<CreateWish, 'image'> & {
  /** A path, or `-`. */
  readonly file: string
}

export type {ExportNote} from '../../rootfs/export/note.js'

/** A creation from an archive, and what the archive says of itself: its word, and no more. */
export type ImportPlan = {readonly request: CreateRequest; readonly note: ExportNote | undefined}

/**
 * Reads the arguments of `import`, and the beginning of the archive for the name it had.
 *
 * @throws {UsageError} @throws {@link invalidSettingError}
 */
export async function planImport(
  wish: ImportWish,
  tools: {host: Host; settings: Settings; context: ImageContext; standardInput: StandardInput},
): Promise<ImportPlan> {
  const {host, context} = tools
  if (wish.file !== '-') {
    const path = resolve(host.workingFolder, wish.file)
    const image = {kind: 'file', path} as const
    const note = await noteOfFile(path, host)
    const own = {name: wish.name ?? nameIn(note), architecture: architectureIn(note)}
    return {request: await planCreation({...wish, ...own, image}, tools), note}
  }
  const {input, note} = await peekStream(tools.standardInput, {...host, signal: context.signal})
  const own = {name: wish.name ?? nameIn(note), architecture: architectureIn(note)}
  const request = await planCreation({...wish, ...own, image: {kind: 'standard-input'}}, tools)
  return {request: {...request, standardInput: input}, note}
}

function nameIn(note: ExportNote | undefined): string | undefined {
  return note !== undefined && isEnvironmentName(note.name) ? note.name : undefined
}

/** Of one that this version does not know, the host's is as good as any: nothing of it will run. */
function architectureIn(note: ExportNote | undefined): DebArchitecture | undefined {
  return note === undefined ? undefined : namedArchitecture(note.architecture)
}

/** Of a regular file alone: what is read of anything else is gone. */
async function noteOfFile(path: string, {which}: Pick<Host, 'which'>): Promise<ExportNote | undefined> {
  // Whoever opens it as an image says what is wrong.
  const fd = unlessErrno(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY))
  if (fd === undefined) return undefined
  try {
    return fstatSync(fd).isFile() ? await readExportNote({fd}, which) : undefined
  } finally {
    closeSync(fd)
  }
}

/** More than the first block of any of the formats takes, unless its data does not compress. */
const HEAD_BYTES = 256 * 1024

/** A stream whose first bytes were looked at, and come again. */
async function peekStream(
  input: StandardInput,
  {which, signal}: Pick<Host, 'which'> & {signal: AbortSignal | undefined},
): Promise<{input: StandardInput; note: ExportNote | undefined}> {
  if (input.isTTY === true) return {input, note: undefined}
  const stop = () => input.destroy(signal?.reason)
  signal?.addEventListener('abort', stop)
  const iterator: AsyncIterator<Buffer> = input[Symbol.asyncIterator]()
  const pieces: Buffer[] = []
  let length = 0
  while (length < HEAD_BYTES) {
    const next = await iterator.next()
    if (next.done === true) break
    pieces.push(next.value)
    length += next.value.length
  }
  signal?.removeEventListener('abort', stop)
  const head = Buffer.concat(pieces)
  const whole = Readable.from(inOrder(head, iterator), {objectMode: false})
  // Else one that nobody reads any more would hold up the end of the process.
  whole.once('close', () => input.destroy())
  return {input: whole, note: await readExportNote(head, which)}
}

async function* inOrder(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

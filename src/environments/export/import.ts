import {closeSync, constants, fstatSync, openSync} from 'node:fs'
import {resolve} from 'node:path'
import {Readable} from 'node:stream'
import type {Settings} from '../../config/settings.js'
import {unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {type DebArchitecture, namedArchitecture} from '../../host/machine/arch.js'
import type {StandardInput} from '../../images/local.js'
import type {ImageContext} from '../../images/sources/source.js'
import {type ExportNote, readExportNote} from '../../rootfs/export/note.js'
import {isEnvironmentName} from '../../store/environments.js'
import {type CreateRequest, type CreateWish, planCreation} from '../create/request.js'

/** The user's request to import a tarball, as typed. */
export type ImportWish = Omit<CreateWish, 'image'> & {
  /** A path, or `-`. */
  readonly file: string
}

export type {ExportNote} from '../../rootfs/export/note.js'

/** A creation from a tarball, and the note inside of the tarball, which is not trusted. */
export type ImportPlan = {readonly request: CreateRequest; readonly note: ExportNote | undefined}

/**
 * Completes the arguments of `import` with the name and architecture in the note at the beginning of the tarball.
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

/** Returns undefined, which stands for the host's, if this version does not know the architecture: no program of it can run. */
function architectureIn(note: ExportNote | undefined): DebArchitecture | undefined {
  return note === undefined ? undefined : namedArchitecture(note.architecture)
}

/** Reads the note of a regular file only: bytes that are read from a pipe or device are consumed. */
async function noteOfFile(path: string, {which}: Pick<Host, 'which'>): Promise<ExportNote | undefined> {
  // The error is ignored here: opening the file as an image fails too, and explains the cause.
  const fd = unlessErrno(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY))
  if (fd === undefined) return undefined
  try {
    return fstatSync(fd).isFile() ? await readExportNote({fd}, which) : undefined
  } finally {
    closeSync(fd)
  }
}

/** Longer than the first block of each format, unless the data is incompressible. */
const HEAD_BYTES = 256 * 1024

/** Reads the note in the first bytes of a stream. @returns A stream that still yields those bytes. */
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
  const whole = Readable.from(concatenate(head, iterator), {objectMode: false})
  // An open input that is no longer read would keep the process alive.
  whole.once('close', () => input.destroy())
  return {input: whole, note: await readExportNote(head, which)}
}

async function* concatenate(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

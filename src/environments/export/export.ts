import {createHash} from 'node:crypto'
import type {Readable, Writable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {errnoOf, UsageError, wordsForErrno} from '../../errors.js'
import {finishSha256, type Sha256} from '../../host/digest.js'
import {isNamelessFailure} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {packageVersion} from '../../host/paths.js'
import {
  compress,
  defaultFormat,
  type ExportFormat,
  foreignEnding,
  formatOfName,
} from '../../rootfs/export/compress.js'
import {formatNote} from '../../rootfs/export/note.js'
import {type ExtractProgress, exportRootfs} from '../../rootfs/worker/api.js'
import {isInUse} from '../../sandbox/processes.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {environmentRunningError} from '../../store/errors.js'
import {requireSameIds} from '../../store/integrity/id-maps.js'
import {openStack} from '../../store/integrity/lost-layers.js'
import {withLockedEnvironment} from '../../store/locks.js'
import {type MergedTree, mergedTree, readGuestTree} from '../../store/mounted-tree.js'
import {rootProcess} from '../../store/tools.js'
import {openExportNote, sweepExports} from './abandoned.js'
import {exportUnwritableError, outputClosedError, outputFullError} from './errors.js'
import {type ExportFile, openExportFile} from './output-file.js'

export {EXPORT_FORMATS} from '../../rootfs/export/compress.js'

export type ExportRequest = {
  readonly name: string
  /** An absolute path, or a stream that is left open. */
  readonly to: string | Writable
  /** Undefined for the format that the extension of the file's name implies. */
  readonly format: ExportFormat | undefined
  /** Whether an existing file is replaced. */
  readonly replaces: boolean
}

export type ExportResult = {
  readonly name: string
  /** Null if the tarball was written to a stream. */
  readonly file: string | null
  readonly format: ExportFormat
  /** Digest of the compressed tarball. */
  readonly sha256: Sha256
  readonly sizeBytes: number
  /** Number of the members of the tarball. */
  readonly entries: number
}

type ExportOptions = {readonly signal: AbortSignal; readonly onProgress: (progress: ExtractProgress) => void}

/**
 * Writes a stopped environment as one tarball, which any tar can read.
 *
 * @throws {UsageError} @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} @throws {@link environmentBusyError}
 * @throws {@link outputExistsError} @throws {@link exportUnwritableError} @throws {@link outputFullError} @throws {@link outputClosedError}
 * @throws As `exportRootfs` and `compress`.
 */
export async function exportEnvironment(
  host: Host,
  request: ExportRequest,
  options: ExportOptions,
): Promise<ExportResult> {
  if (request.format === undefined && typeof request.to === 'string') refuseForeignEnding(request.to)
  const find = () => findStopped(host, request.name)
  return withLockedEnvironment(host.paths, 'exclusive', find, async (environment, lock) => {
    if (typeof request.to !== 'string')
      return await writeArchive(host, {environment, lock}, request.to, request, options)
    await sweepExports(host)
    const note = await openExportNote(host)
    let file: ExportFile | undefined
    try {
      file = await openExportFile(request.to, {...request, note})
      const result = await writeArchive(host, {environment, lock}, file.openStream(), request, options)
      options.signal.throwIfAborted()
      await file.publish()
      return result
    } finally {
      await file?.discard()
      await note?.remove()
    }
  })
}

/** Refuses a name that other programs would read in another format. @throws {UsageError} */
function refuseForeignEnding(path: string): void {
  const ending = foreignEnding(path)
  if (ending === undefined) return
  throw new UsageError(`envs export does not write ${ending} files.`, [
    'Use a name that ends in .tar.zst, .tar.gz, .tar.xz or .tar, or name the format: --format tar',
  ])
}

export type LockedEnvironment = {readonly environment: Environment; readonly lock: Lock}

async function writeArchive(
  host: Host,
  {environment, lock}: LockedEnvironment,
  output: Writable,
  {to, format: wanted}: ExportRequest,
  {signal, onProgress}: ExportOptions,
): Promise<ExportResult> {
  const file = typeof to === 'string' ? to : null
  const format = wanted ?? formatOfName(file ?? '') ?? defaultFormat(host.which)
  const {files, record, name} = environment
  const hash = createHash('sha256')
  let sizeBytes = 0
  async function* archived(bytes: Readable): AsyncGenerator<Buffer> {
    for await (const piece of compress(bytes, format, {which: host.which, signal})) {
      hash.update(piece)
      sizeBytes += piece.length
      yield piece
    }
  }
  const {process, root} = await readableTree(host, {environment, lock})
  const report = await exportRootfs(
    process,
    {
      root,
      ledger: files.ledger,
      owners: record.identity === 'mapped' ? 'keep' : 'caller',
      comment: await describeOrigin(environment),
    },
    async (bytes) => {
      const end = file !== null
      await pipeline(() => archived(bytes), output, {signal, end}).catch((error: unknown) => {
        throw explainOutput(error, file ?? 'standard output')
      })
    },
    {signal, onProgress},
  )
  return {name, file, format, sha256: finishSha256(hash), sizeBytes, entries: report.entries}
}

/** Returns the tree and a process that can read all of its files: root of a user namespace, regardless of their modes. */
export async function readableTree(host: Host, {environment, lock}: LockedEnvironment): Promise<MergedTree> {
  await requireSameIds(host, environment)
  const tree = await readGuestTree(environment)
  if (tree.kind === 'directory') {
    return {process: await rootProcess(host, environment.record.identity), root: tree.root}
  }
  openStack({name: environment.name, paths: host.paths}, tree.history)
  return mergedTree(host, environment, [lock])
}

async function describeOrigin({name, record}: Environment): Promise<string> {
  const {image, identity, architecture, createdAt} = record
  return formatNote({
    name,
    image: {name: image.name, version: image.version, sha256: image.sha256},
    identity,
    architecture,
    createdAt,
    envs: await packageVersion(),
  })
}

/** @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} */
export async function findStopped(host: Host, text: string): Promise<Environment> {
  const found = await findEnvironment(host.paths, text)
  if (await isInUse(found.files.run)) throw environmentRunningError({name: found.name})
  return found
}

/** Translates an errno of the output. The worker reads the tree and explains its own errors. */
export function explainOutput(error: unknown, place: string): unknown {
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EFBIG')
    return outputFullError({place}, {cause: error})
  if (errno === 'EPIPE') return outputClosedError({}, {cause: error})
  // Calls by the descriptor of the output alone have no path.
  return errno !== undefined && isNamelessFailure(error)
    ? exportUnwritableError({place, reason: wordsForErrno(errno)}, {cause: error})
    : error
}

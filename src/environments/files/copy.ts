import {lstatSync} from 'node:fs'
import {dirname} from 'node:path'
import type {Readable, Writable} from 'node:stream'
import {codeOf, EnvsError, errnoOf, wordsForErrno} from '../../errors.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {refusedMemberError} from '../../rootfs/errors.js'
import {DEFAULT_LIMITS} from '../../rootfs/limits.js'
import {memberPath} from '../../rootfs/plain/names.js'
import {readPlain} from '../../rootfs/plain/reader.js'
import type {Member, MemberSink} from '../../rootfs/tar/member.js'
import {readTar} from '../../rootfs/tar/reader.js'
import {findEnvironment} from '../../store/environments.js'
import {fileCopyFailedError, fileMissingError} from './errors.js'
import {type GuestTar, startGuestTar} from './guest-tar.js'
import {baseName, meansContents, type Place} from './place.js'
import type {FileCopyResult} from './results.js'
import {openTarget, type Target} from './target.js'

export type FileCopyRequest = {
  readonly from: Place
  readonly to: Place
  /** Of the sessions; undefined for root. */
  readonly user: string | undefined
  readonly input: Readable
  readonly output: Writable
}

type Counts = {-readonly [Key in 'files' | 'folders' | 'links' | 'bytes' | 'skipped']: number}

export type FileCopyOptions = {
  readonly signal: AbortSignal
  readonly onProgress: (counts: Readonly<Counts>) => void
  /** Texts of a guest: escape them before a terminal sees them. */
  readonly onWarning: (text: string) => void
}

/**
 * Copies a file, a folder or a link between an environment and the host, or between two environments. Environments start if they are
 * stopped.
 *
 * Files that come out belong to the caller; files that go in belong to the user of the session. Nothing is followed through a link but
 * the paths of the request: a guest's tree may be hostile, and may change during the copy.
 *
 * @throws {EnvironmentNotFoundError} @throws {@link fileMissingError} @throws {@link targetMissingError} @throws {@link inTheWayError}
 * @throws {@link fileCopyFailedError} @throws As `readTar`.
 */
export async function copyFiles(
  host: Host,
  request: FileCopyRequest,
  {signal, onProgress, onWarning}: FileCopyOptions,
): Promise<FileCopyResult> {
  const {from, to} = request
  for (const place of [from, to])
    if (place.kind === 'guest') await findEnvironment(host.paths, place.environment)
  const counts: Counts = {files: 0, folders: 0, links: 0, bytes: 0, skipped: 0}
  const skip = () => void counts.skipped++
  const target = await openTarget(host, {...request, onSkipped: skip})
  let sender: GuestTar | undefined
  const stop = () => {
    sender?.kill()
    target.kill()
  }
  signal.addEventListener('abort', stop)
  try {
    const pace = async () => {
      signal.throwIfAborted()
      onProgress(counts)
      await target.pace()
    }
    if (from.kind === 'host') await sendFromHost(from, target, {counts, pace, onSkipped: skip})
    else {
      sender =
        from.kind === 'guest'
          ? await startGuestTar(host, from, {verb: 'send', user: request.user})
          : undefined
      const source = sender?.output ?? request.input
      await sendArchive(source, {target, pace, from, counts}).catch(async (error: unknown) => {
        // A session that failed explains an archive that ended early.
        if (codeOf(error) === 'ENVS_ARCHIVE_CORRUPT' && !signal.aborted) await sender?.end()
        throw error
      })
      for (const line of (await sender?.end()) ?? []) onWarning(line)
    }
    for (const line of await target.finish()) onWarning(line)
    return {from: from.text, to: to.text, ...counts}
  } catch (error) {
    signal.throwIfAborted()
    // A target that ended early explains what could not be sent.
    throw (await target.failure()) ?? explainCopy(error, to.text)
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
    target.close()
  }
}

type Sending = {readonly counts: Counts; readonly pace: () => Promise<void>; readonly onSkipped: () => void}

async function sendFromHost(
  from: Extract<Place, {kind: 'host'}>,
  target: Target,
  {counts, pace, onSkipped}: Sending,
): Promise<void> {
  const {path, text} = from
  try {
    const isContents = meansContents(from) || path === '/'
    if (isContents || path.endsWith('/') || lstatSync(path).isDirectory()) {
      const sink = target.begin(isContents ? 'contents' : 'folder', baseName(from))
      await readPlain(path, undefined, {
        sink: counting(
          renaming(sink, (name) => name),
          counts,
        ),
        pace,
        onSkipped,
      })
      return
    }
    const name = baseName(from)
    // A link is copied as a link: a guest could have made it, in a folder that is shared.
    const bytes = Buffer.from(name).toString('latin1')
    const sink = target.begin('file', name)
    const renamed = renaming(sink, () => '')
    await readPlain(dirname(path), bytes, {sink: counting(renamed, counts), pace, onSkipped})
    if (counts.files + counts.links + counts.skipped === 0) throw fileMissingError({path: text})
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw fileMissingError({path: text}, {cause: error})
    throw error
  }
}

/** Passes the members of an archive on, under names below the copy. */
async function sendArchive(
  source: Readable,
  {
    target,
    pace,
    from,
    counts,
  }: {target: Target; pace: () => Promise<void>; from: Exclude<Place, {kind: 'host'}>; counts: Counts},
): Promise<void> {
  let sink: MemberSink | undefined
  let isSingle = false
  const names = (name: string) => (isSingle ? '' : memberPath(name, DEFAULT_LIMITS).join('/'))
  const entrance: MemberSink = {
    begin(member) {
      if (isSingle)
        throw refusedMemberError({member: member.name, reason: 'it is not the file that was asked for'})
      if (sink === undefined) {
        const isFolder = from.kind === 'stream' || (member.kind === 'folder' && names(member.name) === '')
        isSingle = !isFolder
        const isContents = from.kind === 'stream' || meansContents(from)
        const name = from.kind === 'stream' ? '' : baseName(from)
        const opened = target.begin(isSingle ? 'file' : isContents ? 'contents' : 'folder', name)
        sink = counting(renaming(opened, names), counts)
      }
      sink.begin(member)
    },
    data: (bytes, offset) => sink?.data(bytes, offset),
    end: () => sink?.end(),
  }
  async function* paced() {
    for await (const piece of source) {
      await pace()
      yield piece as Buffer
    }
  }
  await readTar(paced(), entrance, DEFAULT_LIMITS)
}

/** Bits of other rights than reading, writing and executing are left out: the owner of the copy is another user. */
function renaming(sink: MemberSink, nameOf: (name: string) => string): MemberSink {
  return {
    ...sink,
    begin(member) {
      const renamed = {...member, name: nameOf(member.name), mode: member.mode & 0o777, uid: 0, gid: 0}
      if (renamed.kind === 'hardlink') sink.begin({...renamed, target: nameOf(renamed.target)})
      else if (renamed.kind === 'file') sink.begin({...renamed, capability: undefined, attributes: new Map()})
      else sink.begin(renamed)
    },
  }
}

function counting(sink: MemberSink, counts: Counts): MemberSink {
  return {
    begin(member: Member) {
      if (member.kind === 'file' || member.kind === 'hardlink') counts.files++
      if (member.kind === 'folder') counts.folders++
      if (member.kind === 'symlink') counts.links++
      sink.begin(member)
    },
    data(bytes, offset) {
      counts.bytes += bytes.length
      sink.data(bytes, offset)
    },
    end: () => sink.end(),
  }
}

/** Returns an error of the file system as one about the copy; any other error unchanged. */
function explainCopy(error: unknown, place: string): unknown {
  const errno = errnoOf(error)
  if (errno === undefined || error instanceof EnvsError) return error
  const path = error instanceof Error ? String(Reflect.get(error, 'path') ?? place) : place
  const known = path.startsWith('/proc/self/fd/')
    ? `${place}/${path.replace(/^\/proc\/self\/fd\/\d+\/?/, '')}`
    : path
  return fileCopyFailedError({path: known, reason: wordsForErrno(errno)}, {cause: error})
}

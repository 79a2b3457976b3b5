import {lstatSync, statSync} from 'node:fs'
import {basename, dirname} from 'node:path'
import type {Writable} from 'node:stream'
import type {Host} from '../../host/host.js'
import {type HeldFolder, holdFolder} from '../../rootfs/plain/held-folder.js'
import {openPlainWriter, type PlainWriter} from '../../rootfs/plain/writer.js'
import type {Member, MemberSink} from '../../rootfs/tar/member.js'
import {openTarWriter} from '../../rootfs/tar/writer.js'
import {inTheWayError, targetIsLinkError, targetMissingError} from './errors.js'
import {type GuestTar, startGuestTar} from './guest-tar.js'
import {meansContents, type Place} from './place.js'

/** `file`: one member with an empty name. `folder`, `contents`: members with names below it, the folder itself with an empty name. */
export type CopyKind = 'file' | 'folder' | 'contents'

/** Where members go. */
export type Target = {
  /** Called once, when the kind of the source is known. @param name - That of the source, for a copy in a folder. */
  begin(kind: CopyKind, name: string): MemberSink
  /** Waits for a reader that is slower. */
  pace(): Promise<void>
  /** Returns warnings. */
  finish(): Promise<readonly string[]>
  /** Returns the error with which it has ended by itself, if it has. */
  failure(): Promise<unknown>
  kill(): void
  close(): void
}

type TargetRequest = {
  readonly to: Place
  readonly user: string | undefined
  readonly output: Writable
  readonly onSkipped: (member: Member) => void
}

export async function openTarget(host: Host, request: TargetRequest): Promise<Target> {
  const {to, user, output, onSkipped} = request
  switch (to.kind) {
    case 'host':
      return hostTarget(to, onSkipped)
    case 'guest': {
      return guestTarget((words) => startGuestTar(host, to, {verb: 'receive', words, user}))
    }
    case 'stream':
      return streamTarget(output)
  }
}

type HostPlace = Extract<Place, {kind: 'host'}>

function hostTarget(to: HostPlace, onSkipped: (member: Member) => void): Target {
  let writer: PlainWriter | undefined
  return {
    begin(kind, name) {
      const {folder, own} = openPlace(to, {kind, name})
      const opened = openPlainWriter(folder, onSkipped)
      writer = opened
      return own === undefined ? withoutRoot(opened, kind) : named(opened, () => own)
    },
    pace: async () => {},
    async finish() {
      writer?.finish()
      return []
    },
    failure: async () => undefined,
    kill: () => {},
    close: () => writer?.close(),
  }
}

/**
 * Opens the folder for the members, and makes it if it is missing; for a file, the folder around it, with the name of the file.
 *
 * The words of the caller are followed to the last folder that they name; a link at their end only with a slash behind it.
 */
function openPlace(
  to: HostPlace,
  {kind, name}: {readonly kind: CopyKind; readonly name: string},
): {readonly folder: HeldFolder; readonly own?: string} {
  const {path, text} = to
  const follows = path.endsWith('/') || meansContents(to)
  const status = (follows ? statSync : lstatSync)(path, {throwIfNoEntry: false})
  if (status?.isSymbolicLink()) throw targetIsLinkError({path: text})
  const isFolder = status?.isDirectory() === true
  if (follows && !isFolder) throw targetMissingError({path: text})
  if (isFolder && kind === 'contents') return {folder: holdFolder(path)}
  const around = isFolder ? path : dirname(path)
  if (statSync(around, {throwIfNoEntry: false})?.isDirectory() !== true)
    throw targetMissingError({path: text})
  const parent = holdFolder(around)
  const own = Buffer.from(isFolder ? name : basename(path)).toString('latin1')
  const there = parent.status(own)
  if (there !== undefined && there.isDirectory() !== (kind !== 'file')) {
    parent.close()
    throw inTheWayError({path: text})
  }
  if (kind === 'file') return {folder: parent, own}
  try {
    return {folder: parent.openOrMake(own, 0o777)}
  } finally {
    parent.close()
  }
}

function guestTarget(startTar: (words: readonly string[]) => Promise<GuestTar>): Target {
  let starting: Promise<GuestTar> | undefined
  const held: Buffer[] = []
  let tar: GuestTar | undefined
  const archive = openTarWriter((bytes) => {
    // The writer uses its buffers again.
    if (tar === undefined) held.push(Buffer.from(bytes))
    else tar.input.write(Buffer.from(bytes))
  })
  const started = async () => {
    if (tar !== undefined || starting === undefined) return tar
    tar = await starting
    for (const bytes of held.splice(0)) tar.input.write(bytes)
    return tar
  }
  return {
    begin(kind, name) {
      starting = startTar([kind, name])
      starting.catch(() => {})
      return kind === 'file'
        ? named(archive, () => './f')
        : withoutRoot(
            named(archive, (path) => `./${path}`),
            kind,
          )
    },
    async pace() {
      const ready = await started()
      if (ready === undefined) return
      await drained(ready.input)
      // It ended before it had all: its error says why.
      if (ready.input.destroyed) await ready.end()
    },
    async finish() {
      archive.finish()
      const ready = await started()
      ready?.input.end()
      return (await ready?.end()) ?? []
    },
    async failure() {
      const ready = await starting?.catch(() => undefined)
      if (ready?.hasEnded() !== true) return undefined
      return ready.end().then(
        () => undefined,
        (error: unknown) => error,
      )
    },
    kill: () => void starting?.then((ready) => ready.kill()).catch(() => {}),
    close: () => {},
  }
}

/** Writes an archive in which everything is below the name of the source. */
function streamTarget(output: Writable): Target {
  const archive = openTarWriter((bytes) => void output.write(Buffer.from(bytes)))
  return {
    begin(kind, name) {
      const root = Buffer.from(kind === 'contents' ? '.' : name).toString('latin1')
      return named(archive, (path) => (path === '' ? root : `${root}/${path}`))
    },
    pace: () => drained(output),
    async finish() {
      archive.finish()
      return []
    },
    failure: async () => undefined,
    kill: () => {},
    close: () => {},
  }
}

/** Resolves when the stream takes more, or never will. */
function drained(stream: Writable): Promise<void> {
  if (!stream.writableNeedDrain || stream.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const settle = () => {
      stream.off('drain', settle).off('close', settle)
      resolve()
    }
    stream.on('drain', settle).on('close', settle)
  })
}

function named(sink: MemberSink, nameOf: (name: string) => string): MemberSink {
  return {
    begin(member) {
      const name = nameOf(member.name)
      sink.begin(
        member.kind === 'hardlink' ? {...member, name, target: nameOf(member.target)} : {...member, name},
      )
    },
    data: (bytes, offset) => sink.data(bytes, offset),
    end: () => sink.end(),
  }
}

/** Leaves the folder itself out where its contents go into another one, whose mode and time stay. */
function withoutRoot(sink: MemberSink, kind: CopyKind): MemberSink {
  if (kind !== 'contents') return sink
  return {
    begin(member) {
      if (member.kind !== 'folder' || member.name !== '') sink.begin(member)
    },
    data: (bytes, offset) => sink.data(bytes, offset),
    end: () => sink.end(),
  }
}

import {rmSync} from 'node:fs'
import {refusedMemberError} from '../errors.js'
import type {Limits} from '../limits.js'
import type {Member, MemberSink} from '../tar/member.js'
import type {Attributes} from '../tree/attributes.js'
import {lstatOrNothing, memberPath, PathRefusal} from '../tree/paths.js'
import type {TreeWriter} from '../tree/writer.js'
import {type LayerChanges, MOST_CHANGES_BYTES} from './changes.js'

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** Names of AUFS's own; of these, the folder of hard links has content. */
const AUFS = '.wh..wh.'
/** AUFS kept each file with several names in this folder, and linked the names to it. */
const AUFS_LINKS = '.wh..wh.plnk'

/** Receives the members of a layer; `finish` returns what they mean for the layers below. */
export type LayerSink = MemberSink & {
  finish(): LayerChanges
  /** Attributes of the files, by real path; those of folders are among the changes. */
  readonly fileAttributes: ReadonlyMap<string, Attributes>
}

type LayerSinkOptions = {
  readonly writer: TreeWriter
  readonly limits: Limits
  /** Called with the path of a file that leaves the tree. */
  readonly onGone: (path: string) => void
}

/**
 * Writes a layer's own entries with a tree writer, and records its whiteouts.
 *
 * The order of the entries means nothing: a whiteout hides only what the layers below have, and never an entry of its own layer.
 *
 * @throws {PathRefusal} As the writer. @throws {@link refusedMemberError} When there are too many whiteouts.
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
 */
export function openLayerSink(root: string, {writer, limits, onGone}: LayerSinkOptions): LayerSink {
  const hidden = new Set<string>()
  const opaque = new Set<string>()
  const links = new Map<string, string>()
  const devices = new Set<string>()
  const aufsLinks = new Set<string>()
  const attributes = {file: new Map<string, Attributes>(), folder: new Map<string, Attributes>()}
  let attributeBytes = 0
  let isWritten = false

  function begin(member: Member): void {
    isWritten = false
    const name = memberPath(member.name, limits)
    if (isMark(name)) return
    if (member.kind === 'device' && isNullDevice(member)) return
    if (member.kind === 'hardlink' && isLinkBelow(member)) return
    forget(name)
    writer.begin(member)
    isWritten = member.kind === 'file'
    noteAttributes(name, member)
    if (member.kind === 'device') {
      // No node is made, so nothing in the tree replaces the file below it.
      devices.add(name)
      hidden.add(name)
    }
  }

  /** Records a name that is no file of the tree. @returns Whether it is such a name. */
  function isMark(name: string): boolean {
    const [folder, base] = splitPath(name)
    if (!base.startsWith(WHITEOUT) || base === WHITEOUT) {
      if (folder === AUFS_LINKS) aufsLinks.add(name)
      return false
    }
    if (name === AUFS_LINKS) return false
    if (base === OPAQUE) opaque.add(folder)
    else if (!base.startsWith(AUFS)) hidden.add(join(folder, hiddenName(name, base)))
    return true
  }

  /** Records a hard link whose target is in no entry of this layer. @returns Whether it is one. */
  function isLinkBelow(member: Extract<Member, {kind: 'hardlink'}>): boolean {
    const target = memberPath(member.target, limits)
    if (target === '' || isHere(target)) return false
    const path = writer.paths.resolvePlace(memberPath(member.name, limits))
    links.set(path, target)
    const place = writer.paths.absolute(path)
    if (lstatOrNothing(place)?.isDirectory() === false) rmSync(place)
    attributes.file.delete(path)
    return true
  }

  /** Keeps the attributes of a member that has been made. The last one with a name counts. */
  function noteAttributes(name: string, member: Member): void {
    const kinds = [attributes.file, attributes.folder]
    if (member.attributes === undefined && kinds.every(({size}) => size === 0)) return
    const path = writer.paths.resolvePlace(name)
    for (const kind of kinds) kind.delete(path)
    if (member.attributes === undefined || (member.kind !== 'file' && member.kind !== 'folder')) return
    for (const [key, value] of member.attributes) attributeBytes += key.length + value.length
    if (attributeBytes > MOST_ATTRIBUTE_BYTES)
      throw refusedMemberError({
        member: name,
        reason: `the extended attributes of its layer are over ${MOST_ATTRIBUTE_BYTES} bytes`,
      })
    attributes[member.kind].set(path, member.attributes)
  }

  /** Returns whether the layer has the path, or a symlink on the way to it, which the writer resolves. */
  function isHere(path: string): boolean {
    if (devices.has(path) || writer.fifos.has(path)) return true
    let reached = ''
    for (const part of path.split('/')) {
      reached = join(reached, part)
      const status = lstatOrNothing(writer.paths.absolute(reached))
      if (status === undefined) return false
      if (status.isSymbolicLink()) return true
    }
    return true
  }

  function forget(path: string): void {
    if (links.size > 0) links.delete(path)
    if (devices.delete(path)) hidden.delete(path)
  }

  return {
    begin,
    fileAttributes: attributes.file,
    data(bytes, offset) {
      if (isWritten) writer.data(bytes, offset)
    },
    end() {
      if (isWritten) writer.end()
    },
    finish() {
      rmSync(`${root}/${AUFS_LINKS}`, {recursive: true, force: true})
      for (const path of [AUFS_LINKS, ...aufsLinks]) {
        writer.folders.delete(path)
        onGone(path)
      }
      const folders = [...writer.folders]
      return checked({
        hidden: [...hidden],
        opaque: [...opaque],
        implied: folders.filter(([, {named}]) => named === undefined).map(([path]) => path),
        links: [...links],
        attributes: [...attributes.folder].flatMap(([path, all]) =>
          [...all].map(([name, value]) => [path, name, value.toString('base64')] as const),
        ),
        modes: folders.flatMap(([path, {mode}]) => ((mode & OPEN) === OPEN ? [] : [[path, mode] as const])),
      })
    },
  }
}

/** In memory, and for folders in the file of changes. Builders set some hundred bytes. */
const MOST_ATTRIBUTE_BYTES = 8 * 2 ** 20

/** The owner of a folder on disk may do all in it. */
export const OPEN = 0o700

/** @throws {@link refusedMemberError} */
function checked(changes: LayerChanges): LayerChanges {
  const {hidden, opaque, implied, links, modes} = changes
  const paths = [hidden, opaque, implied, links.flat(), modes.map(([path]) => path)].flat()
  const bytes = paths.reduce((sum, path) => sum + path.length, 0)
  if (bytes <= MOST_CHANGES_BYTES) return changes
  throw refusedMemberError({
    member: paths[0] ?? '',
    reason: `the whiteouts and folders of its layer have ${bytes} bytes of names`,
  })
}

function hiddenName(name: string, base: string): string {
  const hidden = base.slice(WHITEOUT.length)
  if (hidden === '.' || hidden === '..') throw new PathRefusal(name, 'it removes no file')
  return hidden
}

/** overlayfs would read a device 0/0 as a whiteout. Nothing makes one for another purpose. */
function isNullDevice({device}: Extract<Member, {kind: 'device'}>): boolean {
  return device.type === 'char' && device.major === 0 && device.minor === 0
}

function splitPath(path: string): readonly [folder: string, base: string] {
  const cut = path.lastIndexOf('/')
  return cut === -1 ? ['', path] : [path.slice(0, cut), path.slice(cut + 1)]
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

import {gzipSync} from 'node:zlib'
import type {Compression} from '../../src/compression/input.js'
import {compressed} from './compressed.js'
import {tarArchive, tarMember} from './tar-archive.js'

/** What goes into a package: fields of its control file, and its files by path. */
export type DebContent = {
  /** The paragraph, a newline at its end. */
  readonly control: string
  /** Content by path below the root, as `usr/bin/hello`. */
  readonly files?: Readonly<Record<string, string | Buffer>>
  /** Those that dpkg runs, by name: `postinst`. */
  readonly scripts?: Readonly<Record<string, string>>
  /** Of the files; Debian has xz, Ubuntu zstd. */
  readonly compression?: Exclude<Compression, 'none'>
}

const SUFFIXES = {gzip: '.gz', xz: '.xz', zstd: '.zst', bzip2: '.bz2'} as const
const OWNER = {uid: 0, gid: 0} as const

/** A package as dpkg reads it, made without dpkg. @see deb(5) */
export function makeDeb({control, files = {}, scripts = {}, compression = 'xz'}: DebContent): Buffer {
  const controlMembers = [
    tarMember({name: './control', data: control, ...OWNER}),
    ...Object.entries(scripts).map(([name, data]) =>
      tarMember({name: `./${name}`, data, mode: 0o755, ...OWNER}),
    ),
  ]
  const data = tarArchive(
    ...foldersOf(files),
    ...Object.entries(files).map(([path, text]) => fileMember(path, text)),
  )
  return arArchive([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(tarArchive(...controlMembers))],
    [`data.tar${SUFFIXES[compression]}`, compressed(compression, data)],
  ])
}

function foldersOf(files: Readonly<Record<string, unknown>>): Buffer[] {
  const folders = new Set(['./'])
  for (const path of Object.keys(files)) {
    const parts = path.split('/').slice(0, -1)
    for (let count = 1; count <= parts.length; count++) folders.add(`./${parts.slice(0, count).join('/')}/`)
  }
  return [...folders].sort().map((name) => tarMember({name, type: '5', mode: 0o755, ...OWNER}))
}

function fileMember(path: string, data: string | Buffer): Buffer {
  const isProgram = /(?:^|\/)s?bin\//.test(path)
  return tarMember({name: `./${path}`, data, mode: isProgram ? 0o755 : 0o644, ...OWNER})
}

/** @see ar(5): a head of 60 bytes before each member, which begins at an even place. */
export function arArchive(members: readonly (readonly [string, Buffer])[]): Buffer {
  const parts = members.flatMap(([name, data]) => {
    const head = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`
    return [Buffer.from(head, 'latin1'), data, Buffer.alloc(data.length % 2, '\n')]
  })
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts])
}

/** What {@link arArchive} was made of. */
export function arMembers(archive: Buffer): [string, Buffer][] {
  const members: [string, Buffer][] = []
  for (let at = 8; at < archive.length; ) {
    const head = archive.toString('latin1', at, at + 60)
    const sizeBytes = Number(head.slice(48, 58))
    members.push([head.slice(0, 16).trim(), archive.subarray(at + 60, at + 60 + sizeBytes)])
    at += 60 + sizeBytes + (sizeBytes % 2)
  }
  return members
}

import {execFileSync} from 'node:child_process'
import type {TreeProcess} from '../../src/rootfs/worker/api.js'
import {paxHeader, tarArchive, tarMember} from './tar-archive.js'

/** What a member of a layer has besides its name; an owner is root where it is left out. */
type Look = {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly modified?: number
  /** Extended attributes, values one character a byte. */
  readonly attributes?: Readonly<Record<string, string>>
}

const member = (
  name: string,
  type: string,
  {attributes, ...look}: Look & {data?: string | Buffer; target?: string},
  patches?: Readonly<Record<number, Buffer>>,
): Buffer => {
  const records: [string, string][] = Object.entries(attributes ?? {}).map(([key, value]) => [
    `SCHILY.xattr.${key}`,
    value,
  ])
  if (name.length > 99) records.push(['path', name])
  const own = {uid: 0, gid: 0, modified: 1_600_000_000, ...look}
  const body = tarMember({...own, name: name.slice(0, 99), type, ...(patches === undefined ? {} : {patches})})
  return records.length === 0 ? body : Buffer.concat([paxHeader(records), body])
}

export const dir = (name: string, look: Look = {}): Buffer => member(`${name}/`, '5', {mode: 0o755, ...look})
export const put = (name: string, data: string | Buffer, look: Look = {}): Buffer =>
  member(name, '0', {mode: 0o644, modified: 1_600_000_001, ...look, data})
export const link = (name: string, target: string): Buffer =>
  member(name, '2', {mode: 0o777, modified: 1_600_000_002, target})
export const hard = (name: string, target: string): Buffer => member(name, '1', {mode: 0o644, target})
export const fifo = (name: string, look: Look = {}): Buffer => member(name, '6', {mode: 0o644, ...look})
export const device = (name: string, [major, minor]: readonly [number, number]): Buffer =>
  member(name, '3', {mode: 0o600}, {329: octal(major), 337: octal(minor)})

/** A whiteout: the layer removes `name`. */
export const gone = (name: string): Buffer => put(name.replace(/[^/]*$/, '.wh.$&'), '')
export const opaque = (folder: string): Buffer =>
  put(folder === '' ? '.wh..wh..opq' : `${folder}/.wh..wh..opq`, '')

function octal(value: number): Buffer {
  return Buffer.from(`${value.toString(8).padStart(7, '0')}\0`, 'latin1')
}

/** The bytes of a layer, uncompressed. */
export function layer(...members: readonly Buffer[]): Buffer {
  return tarArchive(...members)
}

/** As some builders write one, without an end marker. */
export function layerWithoutEnd(...members: readonly Buffer[]): Buffer {
  return Buffer.concat(members)
}

const LIST = `
const {lstatSync, readdirSync, readFileSync, readlinkSync} = require('node:fs')
const root = process.argv[1]
const inodes = new Map()
const lines = {}
const kinds = [['isDirectory', 'd'], ['isSymbolicLink', 'l'], ['isFIFO', 'p'], ['isFile', 'f']]
const walk = (path) => {
  const place = Buffer.from(root + '/' + path, 'latin1')
  const status = lstatSync(place)
  const kind = kinds.find(([test]) => status[test]())?.[1] ?? '?'
  const first = inodes.get(status.ino)
  inodes.set(status.ino, path)
  const mode = kind === 'l' ? [] : [(status.mode & 0o7777).toString(8)]
  const what =
    kind === 'l' ? ['-> ' + readlinkSync(place, 'latin1')] :
    kind !== 'f' ? [] : first === undefined ? [JSON.stringify(readFileSync(place, 'latin1'))] : ['= ' + first]
  lines[path || '.'] = [kind, ...mode, status.uid + ':' + status.gid, ...what].join(' ')
  if (kind === 'd') for (const name of readdirSync(place, 'latin1').sort()) walk(path === '' ? name : path + '/' + name)
}
walk('')
process.stdout.write(JSON.stringify(lines))
`

/** What a tree holds, by path: kind, mode, owner, and content, link target or the first name of the same file. */
export function listTree({prefix}: Pick<TreeProcess, 'prefix'>, root: string): Record<string, string> {
  const [program = '', ...words] = [...prefix, process.execPath, '-e', LIST, root]
  return JSON.parse(execFileSync(program, words, {encoding: 'utf8'}))
}

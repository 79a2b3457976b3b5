import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {gzipSync} from 'node:zlib'
import {capture} from '../../src/host/process.js'
import {treeFolder} from './extraction.js'
import {EVERYTHING, fillSampleTree} from './sample-tree.js'
import {paxHeader, tarMember} from './tar-archive.js'

const ROOT = {uid: 0, gid: 0, modified: 1_600_000_000}
/** cap_net_raw=ep */
const CAPABILITY = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0'

const device = (name: string, type: '3' | '4', major: number, minor: number) =>
  tarMember({
    ...ROOT,
    mode: 0o666,
    name,
    type,
    patches: {329: octal(major), 337: octal(minor)},
  })

const octal = (value: number) => Buffer.from(`${value.toString(8).padStart(7, '0')}\0`)

/** What an ordinary user's own files can't be. */
const SPECIAL = [
  ...['./dev/', './etc/', './proc/', './run/', './sys/', './var/', './var/lib/'].map((name) =>
    tarMember({...ROOT, mode: 0o755, name, type: '5'}),
  ),
  device('./dev/null', '3', 1, 3),
  device('./dev/sda', '4', 8, 0),
  device('./var/lib/tty', '3', 5, 0),
  tarMember({...ROOT, gid: 42, mode: 0o640, name: './etc/shadow', data: 'root:*:'}),
  tarMember({...ROOT, gid: 42, mode: 0o2755, name: './etc/tool', data: 'tool'}),
  tarMember({...ROOT, gid: 42, mode: 0o2755, name: './etc/tool-again', target: './etc/tool', type: '1'}),
  tarMember({...ROOT, uid: 33, gid: 33, mode: 0o777, name: './etc/www', target: 'nowhere', type: '2'}),
  tarMember({...ROOT, uid: 6, gid: 12, mode: 0o2775, name: './var/lib/mail/', type: '5'}),
  tarMember({...ROOT, uid: 6, mode: 0o000, name: './var/lib/mail/closed', data: 'closed'}),
  tarMember({...ROOT, uid: 6, mode: 0o600, name: './var/lib/pipe', type: '6'}),
  paxHeader([['SCHILY.xattr.security.capability', CAPABILITY]]),
  tarMember({...ROOT, mode: 0o755, name: './etc/ping', data: 'ping'}),
  paxHeader([
    ['uid', '3000000'],
    ['gid', '4000000'],
  ]),
  tarMember({...ROOT, name: './var/lib/far', data: 'far'}),
]

/**
 * An archive with one of everything: devices, capabilities, two names of a file, foreign owners, special permissions,
 * holes, a FIFO, odd names and times.
 */
export async function carriedArchive(t: TestContext): Promise<string> {
  const folder = await treeFolder(t)
  const [tree, archive] = [join(folder, 'tree'), join(folder, 'carried.tar.gz')]
  await mkdir(tree)
  await fillSampleTree(tree, EVERYTHING)
  const sample = join(folder, 'sample.tar')
  const {status, stderr} = await capture([
    ...['tar', '-cf', sample, '-C', tree, '--format=pax', '--sparse', '--sort=name'],
    ...['--owner=0', '--group=0', '--numeric-owner', '--exclude=./var', '.'],
  ])
  if (status !== 0) throw new Error(stderr)
  await writeFile(archive, gzipSync(Buffer.concat([...SPECIAL, await readFile(sample)]), {level: 1}))
  return archive
}

/** What fixes lay into a tree, and the folders whose time that changes. */
const LAID =
  /^(|etc|run|usr|usr\/(lib|sbin)|usr\/lib\/envs.*|usr\/sbin\/policy-rc\.d|run\/.*|etc\/(hostname|hosts|debian_chroot|machine-id|resolv\.conf))$/

/** Every member of an archive as GNU tar lists it, with owners, times and attributes: sorted, the same for any order. */
export async function listing(archive: string): Promise<string[]> {
  const members = await memberLines(archive)
  return withoutLaid(members.map(([path, about]) => `${path} ${about}`)).sort()
}

/** Leaves out the lines of files that envs lays into a tree. */
export function withoutLaid(lines: readonly string[]): string[] {
  return lines.filter((line) => !LAID.test(line.replace(/ \S{10} .*$/, '')))
}

/** The members of an archive in order: path, and all that GNU tar tells of it. */
export async function memberLines(archive: string): Promise<(readonly [path: string, about: string])[]> {
  const {status, stdout, stderr} = await capture(
    ['tar', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-tvvf', archive],
    {env: {PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC'}},
  )
  if (status !== 0) throw new Error(stderr)
  return stdout
    .replace(/\n {2}x:/g, ' x:')
    .trim()
    .split('\n')
    .map((line) => LINE.exec(line)?.groups ?? {})
    .flatMap(({path, about = '', rest = ''}) =>
      path === undefined
        ? []
        : [[path, `${about.replace(/ +/g, ' ')}${rest.replace('link to ./', 'link to ')}`] as const],
    )
}

/** Permissions, owner, size or numbers, day and time; the path; a target, or attributes. */
const LINE =
  /^(?<about>[-a-zA-Z]{10}\S* +\S+ +\S+ \S+ \S+) (?:\.\/)?(?<path>.*?)\/?(?<rest>( -> .*| link to .*| x: .*)?)$/

import type {MemberSink, Timestamp} from '../tar/member.js'
import {addFile} from './added-file.js'
import type {PackageControl} from './control-files.js'
import {databaseName} from './database-names.js'
import {type Interests, interestFiles, interestsOf} from './triggers.js'

/** What a package has brought, as dpkg wants to know it. */
export type PackageFiles = {
  /** In the package's order, as it names them: `/.`, `/usr`, … */
  readonly paths: readonly string[]
  /** MD5 of the files that dpkg is to watch: of all, where the package has no sums of its own. */
  readonly sums: ReadonlyMap<string, string>
}

/** A package that was unpacked, and what of its files it lost to others. */
export type UnpackedPackage = {
  readonly control: PackageControl
  readonly files: PackageFiles
  readonly lost: ReadonlySet<string>
}

const FOLDER = 'var/lib/dpkg'
/** Files of a package that are not dpkg's to keep beside its list. */
const SETTLED: ReadonlySet<string> = new Set(['list', 'md5sums', 'conffiles'])

/**
 * Writes dpkg's list of packages as dpkg itself leaves it when it has unpacked them and configured none.
 *
 * @param modified - Of the files that packages do not bring.
 * @see dpkg(1), "Package states"; deb-conffiles(5); dpkg's source, src/main/unpack.c
 */
export function writeDpkgDatabase(
  packages: readonly UnpackedPackage[],
  {sink, modified}: {sink: MemberSink; modified: Timestamp},
): void {
  const write = (
    path: string,
    content: string | Buffer,
    options: {mode?: number; modified?: Timestamp} = {},
  ) => addFile(sink, {path: `${FOLDER}/${path}`, content, mode: 0o644, modified, ...options})
  const ordered = [...packages].sort((a, b) => (a.control.name < b.control.name ? -1 : 1))
  for (const folder of ['', '/alternatives', '/info', '/parts', '/triggers', '/updates'])
    sink.begin({kind: 'folder', name: `${FOLDER}${folder}`, mode: 0o755, uid: 0, gid: 0, modified})
  for (const one of ordered) {
    const prefix = `info/${databaseName(one.control)}`
    write(`${prefix}.list`, linesOf(one.files.paths.filter((path) => !one.lost.has(path))))
    for (const [name, file] of one.control.files) {
      if (!SETTLED.has(name)) write(`${prefix}.${name}`, file.content, file)
    }
    for (const name of ['md5sums', 'conffiles']) {
      const file = one.control.files.get(name)
      if (file !== undefined) write(`${prefix}.${name}`, file.content, file)
    }
    if (!one.control.files.has('md5sums')) write(`${prefix}.md5sums`, sumsOf(one))
  }
  write('info/format', '1\n')
  write('available', '')
  write('status', ordered.map((one) => `${paragraphOf(one)}\n\n`).join(''))
  const interests: Interests[] = ordered.map(({control}) => interestsOf(control))
  for (const [name, content] of interestFiles(interests)) write(`triggers/${name}`, content)
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

/** Absolute paths of settings, without what a flag says of a path. */
export function conffilesOf({files}: Pick<PackageControl, 'files'>): string[] {
  const text = files.get('conffiles')?.content.toString('latin1') ?? ''
  return text.split('\n').flatMap((line) => {
    const path = line.trim()
    return path.startsWith('/') ? [path] : []
  })
}

/** Of a package without sums of its own, as dpkg makes them. */
function sumsOf({files}: UnpackedPackage): string {
  return linesOf([...files.sums].map(([path, sum]) => `${sum}  ${path.slice(1)}`))
}

/** In the state from which `dpkg --configure` goes on: its settings in their places, not under names of their own. */
function paragraphOf({control, files}: UnpackedPackage): string {
  const [first = '', ...rest] = control.paragraph.split('\n')
  const settings = conffilesOf(control).flatMap((path) => {
    const sum = files.sums.get(path)
    return sum === undefined ? [] : [` ${path} ${sum}`]
  })
  return [
    first,
    'Status: install ok unpacked',
    ...rest,
    ...(settings.length === 0 ? [] : ['Conffiles:', ...settings]),
  ].join('\n')
}

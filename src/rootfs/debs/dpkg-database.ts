import type {MemberSink, Timestamp} from '../tar/member.js'
import {addFile} from './added-file.js'
import type {PackageControl} from './control-files.js'
import {databaseName} from './database-names.js'
import {type Interests, interestFiles, interestsOf} from './triggers.js'

/** Files of a package, in the form of dpkg's database. */
export type PackageFiles = {
  /** In the order and spelling of the package: `/.`, `/usr`, … */
  readonly paths: readonly string[]
  /** MD5 of the files that dpkg verifies: of all, if the package has no sums. */
  readonly sums: ReadonlyMap<string, string>
}

/** An unpacked package, and its files that other packages replaced. */
export type UnpackedPackage = {
  readonly control: PackageControl
  readonly files: PackageFiles
  readonly lost: ReadonlySet<string>
}

const FOLDER = 'var/lib/dpkg'
/** Files of a package that dpkg does not copy to its database. */
const SETTLED: ReadonlySet<string> = new Set(['list', 'md5sums', 'conffiles'])

/**
 * Writes dpkg's list of packages as dpkg does after unpacking, before configuring.
 *
 * @param modified - Time of files that belong to no package.
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

/** Returns the absolute paths of conffiles, without flags. */
export function conffilesOf({files}: Pick<PackageControl, 'files'>): string[] {
  const text = files.get('conffiles')?.content.toString('latin1') ?? ''
  return text.split('\n').flatMap((line) => {
    const path = line.trim()
    return path.startsWith('/') ? [path] : []
  })
}

/** Returns the sums of a package that has none, as dpkg computes them. */
function sumsOf({files}: UnpackedPackage): string {
  return linesOf([...files.sums].map(([path, sum]) => `${sum}  ${path.slice(1)}`))
}

/**
 * Writes the state in which `dpkg --configure` continues: with conffiles in place, not under temporary names.
 */
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

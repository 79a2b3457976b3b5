import type {MemberSink, Timestamp} from '../tar/member.js'
import {addFile} from './added-file.js'
import type {PackageControl} from './control.js'

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

type Names = Pick<PackageControl, 'name' | 'architecture' | 'isMultiArchSame'>

/** Returns the name in dpkg's own files: with the architecture if several may be installed. */
function databaseName({name, architecture, isMultiArchSame}: Names): string {
  return isMultiArchSame ? `${name}:${architecture}` : name
}

/** The triggers that a package is interested in. */
export type Interests = {
  /** Its name in dpkg's files. */
  readonly name: string
  readonly wants: readonly {readonly trigger: string; readonly waits: boolean}[]
}

const INTEREST = /^(?<directive>interest|interest-await|interest-noawait)\s+(?<trigger>[\x21-\x7e]+)$/
/** Name of an explicit trigger, which becomes a file name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9.+_-]*$/

/** @see deb-triggers(5) */
export function interestsOf(control: PackageControl): Interests {
  const text = control.files.get('triggers')?.content.toString('latin1') ?? ''
  const wants = text.split('\n').flatMap((line) => {
    const {directive, trigger} = INTEREST.exec(line.replace(/#.*/, '').trim())?.groups ?? {}
    if (trigger === undefined || !(trigger.startsWith('/') || NAME.test(trigger))) return []
    return [{trigger, waits: directive !== 'interest-noawait'}]
  })
  return {name: databaseName(control), wants}
}

/**
 * Returns the files in dpkg's triggers/ that list the interested packages.
 *
 * @see dpkg's source, doc/spec/triggers.txt, "Internals": `File` for paths, a file of its name for every
 * other trigger
 */
export function interestFiles(packages: readonly Interests[]): Map<string, string> {
  const files = new Map<string, string>()
  const add = (file: string, line: string) => files.set(file, `${files.get(file) ?? ''}${line}\n`)
  for (const {name, wants} of packages) {
    for (const {trigger, waits} of wants) {
      const package_ = waits ? name : `${name}/noawait`
      if (trigger.startsWith('/')) add('File', `${trigger} ${package_}`)
      else add(trigger, package_)
    }
  }
  return files
}

import {formatBytes} from '../format.js'
import {escapeText} from '../output.js'

const LEFT_OUT: Readonly<Record<LeftOutGroup, string>> = {
  package: 'of the packages above',
  packageRecords: "in dpkg's and APT's records",
  accounts: 'with the users and groups',
  services: 'with what services start',
  alternatives: 'with alternatives',
  caches: 'in caches and package lists',
  logs: 'in logs',
  temporary: 'in temporary folders',
  bytecode: 'of bytecode',
  envs: 'of envs itself',
}

/** Maximum number of lines of a section without `--files`. */
const MOST_SHOWN = 40

/** Returns the lines that `envs diff` prints. */
export function renderDifference(difference: Difference, {listsAll}: {readonly listsAll: boolean}): string[] {
  const {files, conffiles, leftOut, sizeBytes, unreadable, dropped} = difference
  const most = listsAll ? Number.POSITIVE_INFINITY : MOST_SHOWN
  const lines = [
    ...section('Packages', packageLines(difference.packages), most),
    ...section('Configuration files that differ from their package', conffiles.map(fileLine), most),
    ...section(listsAll ? 'Files' : 'Other files', (listsAll ? files : foldFiles(files)).map(fileLine), most),
    ...section('Users and groups', accountLines(difference), most),
    ...section('Services that would start', serviceLines(difference), most),
    ...section('Setuid and setgid files, and capabilities', privilegedLines(difference), most),
  ]
  const counts = leftOut.map(
    ({group, files: count, sizeBytes: size}) => `  ${count} ${LEFT_OUT[group]}, ${growth(size)}`,
  )
  return [
    `${difference.name} compared with ${describeTarget(difference)}: ${lines.length === 0 ? 'no difference.' : `${growth(sizeBytes)}.`}`,
    ...lines,
    ...(listsAll || counts.length === 0 ? [] : ['Files not shown (--files lists them):', ...counts]),
    ...(unreadable > 0 ? [`Files and folders that could not be read: ${unreadable}.`] : []),
    ...(dropped > 0 ? [`More files that differ, too many to list: ${dropped}.`] : []),
  ]
}

function describeTarget({against: {kind, name}}: Difference): string {
  switch (kind) {
    case 'image':
      return 'its image'
    case 'snapshot':
      return `its snapshot ${name}`
    case 'environment':
      return name
  }
}

function growth(sizeBytes: number): string {
  if (sizeBytes === 0) return 'the same size'
  return `${formatBytes(Math.abs(sizeBytes))} ${sizeBytes > 0 ? 'more' : 'less'}`
}

function section(title: string, lines: readonly ChangeLine[], most: number): string[] {
  if (lines.length === 0) return []
  const shown = lines.slice(0, most)
  const width = Math.max(...shown.map(({change}) => change.length))
  const left = lines.length - shown.length
  return [
    `${title}:`,
    ...shown.map(({change, text}) => `  ${change.padEnd(width)}  ${escapeText(text)}`),
    ...(left > 0 ? [`  and ${left} more: --files or --json lists all`] : []),
  ]
}

type ChangeKind = 'added' | 'changed' | 'removed'

export type FileChange = {
  readonly path: string
  readonly change: ChangeKind
  readonly kind: string
  readonly changed: readonly string[]
  readonly package: string | null
  readonly group: string
}

export type PackageEntry = {
  readonly name: string
  readonly architecture: string
  readonly version: string
  readonly state: string
}

export type PackageMove = {
  readonly name: string
  readonly architecture: string
  readonly from: string
  readonly to: string
}

export type PackageChanges = {
  readonly added: readonly PackageEntry[]
  readonly removed: readonly PackageEntry[]
  readonly upgraded: readonly PackageMove[]
  readonly downgraded: readonly PackageMove[]
}

/** The printed part of a comparison; the rest is for programs. */
export type Difference = {
  readonly name: string
  readonly against: {readonly kind: 'image' | 'snapshot' | 'environment'; readonly name: string}
  readonly packages: PackageChanges | null
  readonly conffiles: readonly FileChange[]
  readonly files: readonly FileChange[]
  readonly users: readonly {
    readonly name: string
    readonly uid: number
    readonly change: ChangeKind
    readonly changed: readonly string[]
  }[]
  readonly groups: readonly {
    readonly name: string
    readonly gid: number
    readonly members: readonly string[]
    readonly change: ChangeKind
    readonly changed: readonly string[]
  }[]
  readonly services: readonly {
    readonly name: string
    readonly init: string
    readonly change: ChangeKind
    readonly startedBy: readonly string[]
  }[]
  readonly privileged: readonly {
    readonly path: string
    readonly change: ChangeKind
    readonly mode: string
    readonly uid: number
    readonly gid: number
    readonly capabilities: readonly string[]
    readonly package: string | null
  }[]
  readonly leftOut: readonly {
    readonly group: LeftOutGroup
    readonly files: number
    readonly sizeBytes: number
  }[]
  readonly sizeBytes: number
  readonly unreadable: number
  readonly dropped: number
}

export type LeftOutGroup =
  | 'package'
  | 'packageRecords'
  | 'accounts'
  | 'services'
  | 'alternatives'
  | 'caches'
  | 'logs'
  | 'temporary'
  | 'bytecode'
  | 'envs'

/** One change: its word, and its object, unescaped. */
export type ChangeLine = {readonly change: string; readonly text: string}

function packageLines(packages: PackageChanges | null): ChangeLine[] {
  if (packages === null) return []
  const {added, removed, upgraded, downgraded} = packages
  const counts = new Map<string, number>()
  for (const {name} of [...added, ...removed, ...upgraded, ...downgraded])
    counts.set(name, (counts.get(name) ?? 0) + 1)
  const moved = (change: string) => (move: PackageMove) => ({
    change,
    text: `${nameOf(move)} ${move.from} -> ${move.to}`,
  })
  const versioned = (change: string) => (each: PackageEntry) => ({
    change,
    text: `${nameOf(each)} ${each.version}${each.state === 'installed' ? '' : ` (${each.state})`}`,
  })
  return [
    ...added.map(versioned('added')),
    ...removed.map(versioned('removed')),
    ...upgraded.map(moved('upgraded')),
    ...downgraded.map(moved('downgraded')),
  ]

  /** Adds the architecture if the name is ambiguous. */
  function nameOf({name, architecture}: PackageEntry | PackageMove): string {
    return (counts.get(name) ?? 0) > 1 ? `${name}:${architecture}` : name
  }
}

function fileLine({
  path,
  change,
  kind,
  changed,
  package: name,
  inside,
}: FileChange & {inside?: number}): ChangeLine {
  const notes = [
    ...(changed.length === 0 || changed.join() === 'content' ? [] : [changed.join(', ')]),
    ...(name === null ? [] : [`of ${name}`]),
    ...(inside === undefined ? [] : [inside === 1 ? 'with 1 file' : `with ${inside} files`]),
  ]
  const end = kind === 'folder' && !path.endsWith('/') ? '/' : ''
  return {change, text: `${path}${end}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`}
}

function accountLines({users, groups}: Difference): ChangeLine[] {
  return [
    ...users.map(({name, uid, change, changed}) => ({
      change,
      text: `user ${name} (${uid})${describe(changed)}`,
    })),
    ...groups.map(({name, gid, change, changed, members}) => ({
      change,
      text: `group ${name} (${gid})${describe(changed.filter((what) => what !== 'members'))}${members.length === 0 ? '' : `; members ${members.join(', ')}`}`,
    })),
  ]
}

function describe(changed: readonly string[]): string {
  return changed.length === 0 ? '' : `: ${changed.join(', ')}`
}

function serviceLines({services}: Difference): ChangeLine[] {
  return services.map(({name, init, change, startedBy}) => ({
    change,
    text: `${name} (${init}: ${startedBy.join(', ').replaceAll(', runlevel ', ', ')})`,
  }))
}

function privilegedLines({privileged}: Difference): ChangeLine[] {
  return privileged.map(({path, change, mode, uid, gid, capabilities, package: name}) => ({
    change,
    text: [path, mode, `${uid}:${gid}`, ...capabilities, ...(name === null ? [] : [`of ${name}`])].join(' '),
  }))
}

type FoldableFile = {
  readonly path: string
  readonly change: string
  readonly kind: string
  readonly package: string | null
}

/** A line of a list; `inside` is the number of further files that it stands for. */
type FoldedFile<File> = File & {readonly inside?: number}

/** Maximum number of files of one folder that are listed separately. */
const MOST_SIBLINGS = 10

/**
 * Shortens a list of files: files that were added or removed with their folder are folded into it, and so are many
 * files of one folder with the same change.
 *
 * @param files - Folders before their content.
 */
export function foldFiles<File extends FoldableFile>(files: readonly File[]): FoldedFile<File>[] {
  return foldSiblings(foldFolders(files))
}

function foldFolders<File extends FoldableFile>(files: readonly File[]): FoldedFile<File>[] {
  const shown: FoldedFile<File>[] = []
  for (const file of files) {
    const folder = shown.at(-1)
    if (folder !== undefined && isPartOf(file, folder))
      shown[shown.length - 1] = {...folder, inside: (folder.inside ?? 0) + 1}
    else shown.push(file)
  }
  return shown
}

function isPartOf({path, change}: FoldableFile, folder: FoldableFile): boolean {
  const isWhole = folder.kind === 'folder' && folder.change !== 'changed'
  return isWhole && folder.change === change && path.startsWith(`${folder.path}/`)
}

function foldSiblings<File extends FoldableFile>(files: readonly FoldedFile<File>[]): FoldedFile<File>[] {
  const counts = new Map<string, number>()
  for (const file of files) counts.set(keyOf(file), (counts.get(keyOf(file)) ?? 0) + 1)
  const lines = new Set<string>()
  return files.flatMap((file) => {
    const key = keyOf(file)
    const inside = counts.get(key) ?? 0
    if (inside <= MOST_SIBLINGS) return [file]
    if (lines.has(key)) return []
    lines.add(key)
    return [{...file, path: folderOf(file), kind: 'folder', package: null, inside}]
  })
}

function keyOf(file: FoldableFile): string {
  return file.kind === 'folder' ? file.path : `${folderOf(file)} ${file.change}`
}

function folderOf({path}: FoldableFile): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

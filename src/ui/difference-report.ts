import type {Difference, LeftOutGroup} from './difference.js'
import {
  accountLines,
  fileLine,
  type Line,
  packageLines,
  privilegedLines,
  serviceLines,
} from './difference-lines.js'
import {escapeText} from './escape.js'
import {foldFiles} from './fold-files.js'
import {formatBytes} from './size.js'

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

/** Enough to see what happened; `--files` has all. */
const MOST_SHOWN = 40

/** What `envs diff` prints, line by line. */
export function renderDifference(difference: Difference, {listsAll}: {readonly listsAll: boolean}): string[] {
  const {files, conffiles, leftOut, sizeBytes, unreadable, dropped} = difference
  const most = listsAll ? Number.POSITIVE_INFINITY : MOST_SHOWN
  const told = [
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
    `${difference.name} beside ${describeTarget(difference)}: ${told.length === 0 ? 'no difference.' : `${growth(sizeBytes)}.`}`,
    ...told,
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

function section(title: string, lines: readonly Line[], most: number): string[] {
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

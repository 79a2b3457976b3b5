import {type HostRelease, RELEASES} from './releases.js'
import type {Row} from './row.js'
import type {MeasuredRun} from './runs.js'
import type {Difference} from './table.js'

/** For a terminal: a line a difference. */
export function renderDifferences(differences: readonly Difference[]): string {
  return differences.map((difference) => `${renderDifference(difference)}\n`).join('')
}

function renderDifference(difference: Difference): string {
  switch (difference.kind) {
    case 'cell':
      return `${difference.row}: ${difference.column} is ${difference.seen}, expected ${difference.expected}`
    case 'unexpected':
      return `${difference.row}: not in the table`
    case 'absent':
      return `${difference.row}: not tried`
  }
}

/** For a terminal: one trial. */
export function renderTrial({scene, account, engine, cells}: Row, seconds: number): string {
  const {words, remedies: _, label: __, log: ___, ...plain} = cells
  const texts = Object.entries(plain).map(([name, cell]) => `${name} ${cell}`)
  const said = words === '-' ? '' : `\n    ${words}`
  return `${scene} ${account} ${engine}: ${texts.join(', ')}; ${seconds.toFixed(0)} s${said}\n`
}

const MARKS = {begin: '<!-- hosts -->', end: '<!-- /hosts -->'} as const

/** Returns the page with its section in place of the present one. @throws {Error} Without the marks. */
export function replaceSection(page: string, section: string): string {
  const [before, rest] = splitOnce(page, MARKS.begin)
  const [, after] = splitOnce(rest, MARKS.end)
  return `${before}${MARKS.begin}\n\n${section}\n\n${MARKS.end}${after}`
}

/** Returns the section of the page. @throws {Error} Without the marks. */
export function sectionOf(page: string): string {
  const [section] = splitOnce(splitOnce(page, MARKS.begin)[1], MARKS.end)
  return section.trim()
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  if (at === -1) throw new Error(`The page has no ${mark}.`)
  return [text.slice(0, at), text.slice(at + mark.length)]
}

/** The scenes, as a reader of the page calls them; {@link RELEASES} lists what is tried in each. */
export const SCENES: Readonly<Record<string, string>> = {
  shipped: 'as shipped',
  'own-bwrap': 'a bwrap of the user in PATH',
  proot: 'as shipped, and proot',
  ticket: "the doctor's request done",
  'policy-changed':
    "the request's profiles taken back, and profiles that take capabilities loaded, between two commands",
  'switch-off': "AppArmor's switch at 0",
  'namespaces-off': 'no user namespaces',
  'proot-only': 'no user namespaces, and proot',
  nfs: 'store on NFS (server on the same host)',
  quota: 'store with a quota of 20 MB',
  'case-folding': 'store in a folder that folds the case of names',
}

const SHOWN = ['doctor', 'create', 'run', 'apt', 'undo', 'clone', 'export', 'guest', 'rm'] as const

/** Returns the section "What works where" of docs/doctor.md. */
export function renderSection(rows: readonly Row[], runs: readonly MeasuredRun[]): string {
  const messages = [...new Set(rows.flatMap(({cells}) => messagesOf(cells.words)))].sort()
  const number = (message: string) => messages.indexOf(message) + 1
  const hosts = RELEASES.flatMap((release) => {
    const own = rows.filter(({host}) => host === release.name)
    if (own.length === 0) return []
    return [
      `### ${titleOf(release)}`,
      '',
      factsOf(runs.find(({host}) => host === release.name)),
      '',
      `| scene | user | engine | ${SHOWN.join(' | ')} | |`,
      `|---|---|---|${SHOWN.map(() => '---').join('|')}|---|`,
      ...own.map(({scene, account, engine, cells}) => {
        const notes = messagesOf(cells.words).map((message) => `[${number(message)}]`)
        const shown = SHOWN.map((column) => cells[column])
        return `| ${[SCENES[scene] ?? scene, account, engine, ...shown, notes.join(' ')].join(' | ')} |`
      }),
      '',
    ]
  })
  return [
    ...hosts,
    ...(messages.length === 0 ? [] : ['Messages of the failures:', '']),
    ...messages.map((message, index) => `${index + 1}. ${message.replaceAll('<', '&lt;')}`),
  ]
    .join('\n')
    .trim()
}

function messagesOf(words: string): string[] {
  return words === '-' ? [] : words.split(' | ').map((each) => each.replace(/^[a-z, ]+: /, ''))
}

function titleOf({name, distribution, version}: HostRelease): string {
  return `${distribution === 'ubuntu' ? 'Ubuntu' : 'Debian'} ${version} (${name})`
}

/** Undefined for a host of which no whole run was measured. */
function factsOf(run: MeasuredRun | undefined): string {
  if (run === undefined) return 'Some scenes, without a measured time.'
  const {kernel, bubblewrap, trials, seconds, bootSeconds, processorSeconds} = run
  const times = `${Math.round(seconds)} s (${Math.round(processorSeconds)} s of processor time), of which ${Math.round(bootSeconds)} s to boot`
  return `Linux ${kernel}, bubblewrap ${bubblewrap}; ${trials} trials in ${times}.`
}

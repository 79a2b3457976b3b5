import {styleText} from 'node:util'
import type {Ticket} from '../../doctor/remedies.js'
import type {Check} from '../../host/check.js'
import {escapeText} from '../output.js'
import {describeIdentity} from './text.js'

type MissingFile = {
  readonly path: string
  readonly lost: readonly ('owner' | 'capability' | 'device')[]
  readonly uid: number
  readonly gid: number
  readonly mode: string
  readonly capabilities: readonly string[]
  readonly device: {readonly type: 'char' | 'block'; readonly major: number; readonly minor: number} | null
}

type EnvironmentReport = {
  readonly name: string
  readonly identity: 'mapped' | 'emulated'
  readonly missing: readonly MissingFile[]
  readonly missingUnlisted: number
  readonly packages:
    | readonly {
        readonly name: string
        readonly version: string
        readonly problem: string
        readonly remedy: string
      }[]
    | null
}

/** Maximum number of files of a group; `--json` lists all. */
const MOST_SHOWN = 20

const GROUPS = [
  {
    loss: 'owner',
    title: (count: number) => `${files(count)} another owner in the image (user:group mode):`,
    show: ({uid, gid, mode}: MissingFile) => `${uid}:${gid} ${mode}`,
  },
  {
    loss: 'capability',
    title: (count: number) => `${files(count)} capabilities in the image that could not be set:`,
    show: ({capabilities}: MissingFile) => capabilities.join(',') || 'of an unknown form',
  },
  {
    loss: 'device',
    title: (count: number) =>
      `${count === 1 ? '1 device node' : `${count} device nodes`} of the image left out (the guest's /dev is created at each start):`,
    show: ({device}: MissingFile) =>
      device === null ? '' : `${device.type} ${device.major}:${device.minor}`,
  },
] as const

/** Returns the lines that `envs doctor NAME` prints. */
export function renderEnvironmentReport(report: EnvironmentReport): string[] {
  const {identity, missing, missingUnlisted, packages} = report
  return [
    `Identity ${describeIdentity(identity)}.`,
    ...(identity === 'emulated' ? [NOT_RECORDED] : []),
    ...GROUPS.flatMap(({loss, title, show}) => {
      const those = missing.filter(({lost}) => lost.includes(loss))
      return renderGroup(those, {title, show})
    }),
    ...(missingUnlisted > 0
      ? [`${missingUnlisted} more of the image are not listed: there are too many.`]
      : []),
    ...renderPackages(packages),
  ]
}

/** Emulated changes of owners leave no trace. */
const NOT_RECORDED =
  'Owners that were set after the environment was created are not recorded, so they are not listed here.'

function renderGroup(
  those: readonly MissingFile[],
  {title, show}: {title: (count: number) => string; show: (missing: MissingFile) => string},
): string[] {
  if (those.length === 0) return []
  const shown = those.slice(0, MOST_SHOWN).map((missing) => `  ${escapeText(missing.path)}  ${show(missing)}`)
  const left = those.length - shown.length
  return [title(those.length), ...shown, ...(left > 0 ? [`  and ${left} more: --json lists all`] : [])]
}

function renderPackages(packages: EnvironmentReport['packages']): string[] {
  if (packages === null) return ['The environment has no list of packages of dpkg.']
  if (packages.length === 0)
    return ['No package in the environment is known to need more than the environment provides.']
  return [
    'Packages in the environment that need more than it provides:',
    ...packages.flatMap(({name, version, problem, remedy}) => [
      `  ${name} ${version}: ${problem}`,
      `      remedy: ${remedy}`,
    ]),
  ]
}

function files(count: number): string {
  return count === 1 ? '1 file has' : `${count} files have`
}

const MARKS = {pass: 'ok  ', warn: 'warn', fail: 'FAIL'} as const
const COLOURS = {'ok  ': 'green', warn: 'yellow', FAIL: 'red'} as const

/** Colours the mark of a line of {@link renderChecks}. */
export function withColour(line: string): string {
  for (const [mark, colour] of Object.entries(COLOURS))
    if (line.startsWith(`${mark}  `)) return `${styleText(colour, mark)}${line.slice(mark.length)}`
  return line
}

/** Returns the lines that `envs doctor` prints about its checks. */
export function renderChecks(checks: readonly Check[]): string[] {
  return checks.flatMap(({status, title, evidence, cost, remedy}) => [
    `${MARKS[status]}  ${title}: ${evidence}`,
    ...(cost === null ? [] : [`      means: ${cost}`]),
    ...(remedy === null ? [] : [`      remedy: ${remedy}`]),
  ])
}

/** Returns a request to an administrator, as lines to copy; it contains no names. */
export function renderTicket({requests}: Ticket): string[] {
  return [
    'To send to an administrator of this host (each part helps on its own):',
    ...requests.flatMap(({evidence, purpose, steps, opens}, index) => [
      '',
      `${index + 1}. Seen: ${evidence}`,
      `   Without it: ${purpose}`,
      '   As root:',
      ...steps.flatMap((step) => step.split('\n')).map((line) => `     ${line}`),
      `   Security effect: ${opens}`,
    ]),
  ]
}

type StoreProblem = {
  readonly environment: string | null
  readonly path: string
  readonly problem: string
  readonly remedy: string
}

/** Returns the lines that `envs doctor --check` prints. */
export function renderStoreCheck({
  environments,
  layers,
  images,
  problems,
}: {
  readonly environments: number
  readonly layers: number
  readonly images: number
  readonly problems: readonly StoreProblem[]
}): string[] {
  const checked = [
    `${environments} ${environments === 1 ? 'environment' : 'environments'}`,
    `${layers} ${layers === 1 ? 'layer' : 'layers'}`,
    ...(images > 0 ? [`${images} ${images === 1 ? 'image' : 'images'}`] : []),
  ].join(', ')
  if (problems.length === 0) return [`Checked ${checked}: no problems.`]
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return [`Checked ${checked}: ${count}.`, ...problems.flatMap(renderProblem)]
}

function renderProblem({environment, path, problem, remedy}: StoreProblem): string[] {
  return [
    `FAIL  ${environment === null ? '' : `${environment}: `}${escapeText(problem)}`,
    `      path: ${escapeText(path)}`,
    `      remedy: ${escapeText(remedy)}`,
  ]
}

type RepairResult = {
  readonly repaired: readonly StoreProblem[]
  readonly problems: readonly StoreProblem[]
  readonly folders: number
  readonly layers: number
  readonly tries: number
  readonly orphans: readonly {readonly name: string; readonly holders: readonly {readonly pid: number}[]}[]
}

/** Returns the lines about the actions of `envs doctor --repair`; one line if there were none. */
export function describeRepair({
  folders,
  layers,
  tries,
  orphans,
  repaired,
  problems,
}: RepairResult): string[] {
  const done = [
    ...orphans.map(
      ({name, holders}) =>
        `Ended the processes that kept ${name} from starting: ${holders.map(({pid}) => pid).join(', ')}.`,
    ),
    ...counted(tries, 'throwaway environment', 'that had ended'),
    ...counted(folders, 'folder', 'that was incomplete', 'that were incomplete'),
    ...counted(layers, 'layer', 'that no environment uses'),
    ...repaired.map(
      ({environment, path, problem}) => `Repaired ${environment ?? escapeText(path)}: ${escapeText(problem)}`,
    ),
  ]
  if (problems.length > 0)
    return [...done, 'Problems that envs cannot repair without a loss:', ...problems.flatMap(renderProblem)]
  return done.length === 0 ? ['There was nothing to repair.'] : done
}

function counted(count: number, noun: string, one: string, many = one): string[] {
  if (count === 0) return []
  return [count === 1 ? `Removed 1 ${noun} ${one}.` : `Removed ${count} ${noun}s ${many}.`]
}

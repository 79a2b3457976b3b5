import {escapeText} from './escape.js'
import {describeIdentity} from './wording.js'

type Missing = {
  readonly path: string
  readonly lost: readonly ('owner' | 'capability' | 'device')[]
  readonly uid: number
  readonly gid: number
  readonly mode: string
  readonly capabilities: readonly string[]
  readonly device: {readonly type: 'char' | 'block'; readonly major: number; readonly minor: number} | null
}

type Report = {
  readonly name: string
  readonly identity: 'mapped' | 'emulated'
  readonly missing: readonly Missing[]
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

/** Enough to see what kind they are of; `--json` has all. */
const MOST_SHOWN = 20

const GROUPS = [
  {
    loss: 'owner',
    title: (count: number) => `${files(count)} another owner in the image (user:group mode):`,
    show: ({uid, gid, mode}: Missing) => `${uid}:${gid} ${mode}`,
  },
  {
    loss: 'capability',
    title: (count: number) => `${files(count)} capabilities in the image that could not be set:`,
    show: ({capabilities}: Missing) => capabilities.join(',') || 'of an unknown form',
  },
  {
    loss: 'device',
    title: (count: number) =>
      `${count === 1 ? '1 device node' : `${count} device nodes`} of the image left out (the guest's /dev is made anew at each start):`,
    show: ({device}: Missing) => (device === null ? '' : `${device.type} ${device.major}:${device.minor}`),
  },
] as const

/** What `envs doctor NAME` prints, line by line. */
export function renderEnvironmentReport(report: Report): string[] {
  const {identity, missing, missingUnlisted, packages} = report
  return [
    `Identity ${describeIdentity(identity)}.`,
    ...(identity === 'emulated' ? [UNTOLD] : []),
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

/** Nobody sees what a call did that was never made. */
const UNTOLD =
  'Owners that were set after the environment was created are not recorded, so they are not listed here.'

function renderGroup(
  those: readonly Missing[],
  {title, show}: {title: (count: number) => string; show: (missing: Missing) => string},
): string[] {
  if (those.length === 0) return []
  const shown = those.slice(0, MOST_SHOWN).map((missing) => `  ${escapeText(missing.path)}  ${show(missing)}`)
  const left = those.length - shown.length
  return [title(those.length), ...shown, ...(left > 0 ? [`  and ${left} more: --json lists all`] : [])]
}

function renderPackages(packages: Report['packages']): string[] {
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

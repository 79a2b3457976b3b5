import type {TypedSession} from '../environments/session/typed-session.js'
import type {StartNotice} from '../features/feature.js'
import {openCheckedHost} from '../host/host.js'
import {openStartReport, type StartReport} from '../host/start-report.js'
import {SESSION_OPTIONS, sessionFields} from '../sandbox/session-options.js'
import {escapeText, writeError} from './output.js'
import {parseQuickLine} from './quick-line.js'
import {describeUnenforced} from './views/limits.js'

/** Names of the commands, aliases included; a test compares them with the declared ones. */
const RUN: readonly string[] = ['run', 'exec']
const ENTER: readonly string[] = ['enter', 'login', 'sh']
const TRY: readonly string[] = ['try', 'ephemeral']

const FLAGS = Object.fromEntries(
  SESSION_OPTIONS.map(({name, letter, takes}) => [
    name,
    {
      type: takes === 'none' ? 'boolean' : 'string',
      ...(letter === undefined ? {} : {short: letter}),
      multiple: takes === 'many',
    } as const,
  ]),
)

/**
 * Parses the line of a session without oclif, which takes longer to load than a session to start.
 *
 * @returns undefined for any other line, including help and mistakes.
 */
export function readSessionLine(typed: readonly string[]): TypedSession | undefined {
  const [verb = '', ...argv] = separateGuestCommand(typed)
  const isRun = RUN.includes(verb)
  if (!isRun && !ENTER.includes(verb)) return undefined
  const {own, guest} = isRun ? splitAtSeparator(argv) : {own: argv, guest: []}
  const line = parseQuickLine(own, FLAGS)
  if (line === undefined || line.words.length > 1 || (isRun && guest.length === 0)) return undefined
  const [name] = line.words
  return isRun && name === undefined ? undefined : {name, command: guest, fields: sessionFields(line.flags)}
}

/** Runs a session, as the commands `run` and `enter` do; sets `process.exitCode`, never rejects. */
export async function runSessionLine(session: TypedSession): Promise<void> {
  let isVerbose = false
  let report: StartReport | undefined
  try {
    const host = openCheckedHost()
    report = openStartReport(host.environment)
    isVerbose = /^(true|1|yes|y)$/i.test(host.environment['ENVS_VERBOSE'] ?? '')
    // Other commands load this file too, for the separator alone.
    const {runTypedSession} = await import('../environments/session/typed-session.js')
    process.exitCode = await runTypedSession(host, session, {
      onNotice: printStartNotice,
      onStarted: () => report?.started(),
    })
  } catch (error) {
    const {describeFailure, sessionStatus, reportFailure} = await import('./render-error.js')
    const {explainName, imageHabits} = await import('./habits/missing.js')
    report?.failed(describeFailure(error))
    reportFailure(explainName(error, imageHabits(session.name)), {
      verbose: isVerbose,
      statusOf: sessionStatus,
    })
  }
}

/** Prints a notice of a start on standard error. */
export function printStartNotice(notice: StartNotice): void {
  writeError(`${escapeText(`envs: warning: ${describeStartNotice(notice)}`)}\n`)
}

function describeStartNotice(notice: StartNotice): string {
  switch (notice.kind) {
    case 'no-restore-point':
      return `Could not make a restore point of "${notice.name}": ${notice.reason}. envs undo takes back the changes of this run together with those before it.`
    case 'timeout':
      return `The session in ${notice.name} reached its time limit (${notice.seconds} s) and was ended.`
    case 'limits':
      return describeUnenforced(notice.name, notice.limits) ?? ''
  }
}

/** Options of `run` that take the next argument as a value. */
const VALUE_OPTIONS: ReadonlySet<string> = new Set([
  ...SESSION_OPTIONS.filter(({takes}) => takes !== 'none').flatMap(({name, letter}) => [
    `--${name}`,
    ...(letter === undefined ? [] : [`-${letter}`]),
  ]),
  ...['--name', '--restart'],
])

/** Of podman and Docker: the terminal and the input of its caller, which every session has. */
const TERMINAL_FLAG = /^(?:-[it]{1,2}|--(?:interactive|tty)(?:=(?:true|false))?|--rm=false)$/

/**
 * Inserts `--` between NAME and the guest's command, because oclif parses flags, `--help` and `--json` up to the
 * first `--`. A `--` of the user is kept as this one; later ones belong to the guest. Leaves out flags without an effect.
 *
 * @param argv - The whole command line, the command's name first.
 */
export function separateGuestCommand(argv: readonly string[]): string[] {
  const [command, ...words] = argv
  if (command === undefined) return []
  if (!RUN.includes(command)) {
    if (!ENTER.includes(command) && !TRY.includes(command)) return [...argv]
    const {own} = splitAtSeparator(words)
    return [command, ...withoutTerminalFlags(own), ...words.slice(own.length)]
  }
  const at = positionOfName(words)
  if (at === undefined) return [...argv]
  const guest = words.slice(at + 1)
  return [
    command,
    ...withoutTerminalFlags(words.slice(0, at)),
    words[at] ?? '',
    ...['--', ...(guest[0] === '--' ? guest.slice(1) : guest)],
  ]
}

/** Returns the words without those flags, and `-d` for `-dit`; the value of another option is none. */
function withoutTerminalFlags(words: readonly string[]): string[] {
  return words.flatMap((word, at) => {
    if (VALUE_OPTIONS.has(words[at - 1] ?? '')) return [word]
    if (TERMINAL_FLAG.test(word)) return []
    return [/^-(?=.*d)[dit]{2,3}$/.test(word) ? '-d' : word]
  })
}

/**
 * Splits a line at the first `--`: own arguments, and the guest's in the order typed (oclif's `argv` reorders
 * repeated ones).
 */
export function splitAtSeparator(argv: readonly string[]): {own: string[]; guest: string[]} {
  const at = argv.indexOf('--')
  return at === -1 ? {own: [...argv], guest: []} : {own: argv.slice(0, at), guest: argv.slice(at + 1)}
}

function positionOfName(argv: readonly string[]): number | undefined {
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    if (argument === '--') return undefined
    if (VALUE_OPTIONS.has(argument)) at++
    else if (!argument.startsWith('-') || argument === '-') return at
  }
  return undefined
}

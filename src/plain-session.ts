import {runTypedSession, type TypedSession} from './environments/typed-session.js'
import {openCheckedHost} from './host/host.js'
import {SESSION_OPTIONS, sessionFields} from './sandbox/session-options.js'
import {separateGuestCommand, splitAtSeparator} from './ui/guest-arguments.js'
import {parseQuickLine} from './ui/quick-line.js'

/** The names of both commands, aliases included; a test compares them with what the commands declare. */
const RUN: readonly string[] = ['run', 'exec']
const ENTER: readonly string[] = ['enter', 'login', 'shell', 'sh']

const FLAGS = Object.fromEntries(
  SESSION_OPTIONS.map(({name, letter, takes}) => [
    name,
    {type: 'string', short: letter, multiple: takes === 'many'} as const,
  ]),
)

/**
 * Reads the line of a session without the command library, which takes longer to load than a session to start.
 *
 * @returns undefined for anything else, help and mistakes included.
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

/** The same work as the commands `run` and `enter` do; sets `process.exitCode`, never rejects. */
export async function runSessionLine(session: TypedSession): Promise<void> {
  let isVerbose = false
  try {
    const host = openCheckedHost()
    isVerbose = /^(true|1|yes|y)$/i.test(host.environment['ENVS_VERBOSE'] ?? '')
    process.exitCode = await runTypedSession(host, session)
  } catch (error) {
    const {sessionStatus, tellFailure} = await import('./ui/render-error.js')
    tellFailure(error, {verbose: isVerbose, statusOf: sessionStatus})
  }
}

import type {CommandTable} from './ui/command-line.js'

export type {CommandTable} from './ui/command-line.js'

/** What a plain form of a session begins with, beside aliases; the last is said by the front door alone. */
const SESSIONS: readonly string[] = ['run', 'enter', '--ready']

/**
 * Runs one command line, without `node` and the script; sets `process.exitCode`, never rejects.
 *
 * The two plain forms of a session are most of what envs does all day, and go without a parser.
 */
export async function main(argv: readonly string[], table: CommandTable): Promise<void> {
  const [word = ''] = argv
  const command = table.commands.find(({aliases}) => aliases.includes(word))?.id ?? word
  if (SESSIONS.includes(command)) {
    const {readPlainSession, runPlainSession} = await import('./plain-session.js')
    const session = readPlainSession(argv)
    if (session !== undefined) return runPlainSession(session)
  }
  const {dispatchCommandLine} = await import('./dispatch.js')
  await dispatchCommandLine(argv, table)
}

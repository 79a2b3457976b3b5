import {exactArguments} from '../host/argv/bytes.js'
import type {CommandTable} from './registry.js'

export type {CommandTable} from './registry.js'

/** Commands whose line is parsed without oclif. */
const SESSIONS: readonly string[] = ['run', 'enter']

/**
 * Runs one command line, without `node` and the script; sets `process.exitCode`, never rejects.
 *
 * Sessions are the most frequent commands, and do not load the code of the others.
 */
export async function main(decoded: readonly string[], table: CommandTable): Promise<void> {
  const argv = exactArguments(decoded)
  const [word = ''] = argv
  const command = table.commands.find(({aliases}) => aliases.includes(word))?.id ?? word
  if (SESSIONS.includes(command)) {
    const {readSessionLine, runSessionLine} = await import('./session-line.js')
    const session = readSessionLine(argv)
    if (session !== undefined) return runSessionLine(session)
  }
  const {dispatchCommandLine} = await import('./dispatch.js')
  await dispatchCommandLine(argv, table)
}

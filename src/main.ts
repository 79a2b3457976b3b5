import {readPlainSession, runPlainSession} from './plain-session.js'

/**
 * Runs one command line, without `node` and the script; sets `process.exitCode`, never rejects.
 *
 * The two plain forms of a session are most of what envs does all day, and go without the command library: it takes
 * longer to load than the session takes to run.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const session = readPlainSession(argv)
  if (session !== undefined) return runPlainSession(session)
  const {dispatchCommandLine} = await import('./dispatch.js')
  await dispatchCommandLine(argv)
}

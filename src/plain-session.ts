import {readSettings} from './config/settings.js'
import {runInEnvironment} from './environments/session.js'
import {openHost} from './host/host.js'

/** `run NAME [--] COMMAND...` or `enter NAME`, without a flag. */
export type PlainSession = {
  readonly name: string
  /** Empty for a login shell. */
  readonly command: readonly string[]
}

/** The names of both commands, aliases included; a test holds them to what the commands say themselves. */
const RUN: readonly string[] = ['run', 'exec']
const ENTER: readonly string[] = ['enter', 'login', 'shell', 'sh']

/**
 * Recognises the two forms that need no parser; undefined for everything else, help and mistakes included.
 */
export function readPlainSession(argv: readonly string[]): PlainSession | undefined {
  const [verb = '', name, ...rest] = argv
  if (name === undefined || name.startsWith('-')) return undefined
  if (ENTER.includes(verb)) return rest.length === 0 ? {name, command: []} : undefined
  if (!RUN.includes(verb)) return undefined
  const command = rest[0] === '--' ? rest.slice(1) : rest
  return command.length === 0 ? undefined : {name, command}
}

/** The same work as the commands `run` and `enter` do; sets `process.exitCode`, never rejects. */
export async function runPlainSession({name, command}: PlainSession): Promise<void> {
  let isVerbose = false
  try {
    const host = openHost()
    isVerbose = /^(true|1|yes|y)$/i.test(host.environment['ENVS_VERBOSE'] ?? '')
    const settings = await readSettings(host)
    process.exitCode = await runInEnvironment(host, name, {
      command,
      user: undefined,
      workingFolder: undefined,
      variables: [],
      volumes: [],
      durable: settings.value('durable'),
    })
  } catch (error) {
    const {tellSessionFailure} = await import('./ui/session-failure.js')
    process.exitCode = tellSessionFailure(error, {isVerbose})
  }
}

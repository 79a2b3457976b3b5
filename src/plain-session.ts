import {configPath, readConfigText} from './config/file.js'
import {readSettings} from './config/settings.js'
import {type PlainForm, runInEnvironment} from './environments/session.js'
import {type Host, openCheckedHost} from './host/host.js'

/** `run NAME [--] COMMAND...` or `enter NAME`, without a flag. */
export type PlainSession = {
  readonly name: string
  /** Empty for a login shell. */
  readonly command: readonly string[]
}

/** The names of both commands, aliases included; a test holds them to what the commands say themselves. */
const RUN: readonly string[] = ['run', 'exec']
const ENTER: readonly string[] = ['enter', 'login', 'shell', 'sh']

/** With one of these a session is unlike the next one; templates/host/join.pl has the same list. */
const VARIABLES_THAT_MATTER = ['ENVS_DURABLE', 'ENVS_ENGINE'] as const

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
export async function runPlainSession(session: PlainSession): Promise<void> {
  let isVerbose = false
  try {
    const host = openCheckedHost()
    isVerbose = /^(true|1|yes|y)$/i.test(host.environment['ENVS_VERBOSE'] ?? '')
    process.exitCode = await run(host, session)
  } catch (error) {
    const {tellSessionFailure} = await import('./ui/session-failure.js')
    process.exitCode = tellSessionFailure(error, {isVerbose})
  }
}

async function run(host: Host, {name, command}: PlainSession): Promise<number> {
  const plain = await plainForm(host)
  const settings = await readSettings(host)
  const wish = {
    command,
    user: undefined,
    workingFolder: undefined,
    variables: [],
    volumes: [],
    durable: settings.value('durable'),
    engine: settings.value('engine'),
  }
  return runInEnvironment(host, name, wish, plain)
}

/** Read before the settings are: a plan with a text that is too old is not followed. */
async function plainForm(host: Host): Promise<PlainForm | undefined> {
  const isPlain = host.uid !== 0 && VARIABLES_THAT_MATTER.every((name) => !host.environment[name])
  return isPlain ? {settings: await readConfigText(configPath(host))} : undefined
}

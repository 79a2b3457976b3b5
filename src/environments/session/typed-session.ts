import {configPath, readConfigText, readSettings} from '../../config/settings.js'
import type {SessionWish} from '../../features/feature.js'
import type {Host} from '../../host/host.js'
import type {SessionFields} from '../../sandbox/session-options.js'
import {type PlainSession, type RunOptions, runInEnvironment} from './run.js'

/** A session as the user typed it on a command line. */
export type TypedSession = {
  /** Undefined for the only environment of the store. */
  readonly name: string | undefined
  /** Empty for a login shell. */
  readonly command: readonly string[]
  readonly fields: Readonly<SessionFields>
}

/** Variables that change a session, so that its plan can't serve the next one. templates/host/join.pl has the same list. */
const SESSION_VARIABLES = ['ENVS_DURABLE', 'ENVS_ENGINE'] as const

/** Runs a session under the settings of the user. @returns The guest's exit status. */
export async function runTypedSession(
  host: Host,
  session: TypedSession,
  options: Omit<RunOptions, 'plain'>,
): Promise<number> {
  // Read before the settings are parsed: join.pl does not follow a plan whose text differs from the file.
  const plain = await plainSession(host, session)
  return runInEnvironment(host, session.name, await withSettings(host, session), {...options, plain})
}

/** Returns the typed options, completed by the settings of the user. */
export async function withSettings(host: Host, {command, fields}: TypedSession): Promise<SessionWish> {
  const settings = await readSettings(host)
  return {command, ...fields, durable: settings.value('durable'), engine: settings.value('engine')}
}

/** Returns undefined where an option or a variable makes this session different from the next one. */
async function plainSession(host: Host, {fields}: TypedSession): Promise<PlainSession | undefined> {
  const isPlain =
    host.uid !== 0 &&
    Object.values(fields).every((value) => value === undefined || (value !== true && value.length === 0)) &&
    SESSION_VARIABLES.every((name) => !host.environment[name])
  return isPlain ? {settings: await readConfigText(configPath(host))} : undefined
}

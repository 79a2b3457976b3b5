import {configPath, readConfigText, readSettings} from '../../config/settings.js'
import type {SessionWish} from '../../features/feature.js'
import type {Host} from '../../host/host.js'
import type {SessionFields} from '../../sandbox/session-options.js'
import {type PlainForm, runInEnvironment} from './run.js'

/** A session as it is typed on a command line. */
export type TypedSession = {
  /** Undefined for the only environment there is. */
  readonly name: string | undefined
  /** Empty for a login shell. */
  readonly command: readonly string[]
  readonly fields: Readonly<SessionFields>
}

/** With one of these a session is unlike the next one; templates/host/join.pl has the same list. */
const VARIABLES_THAT_MATTER = ['ENVS_DURABLE', 'ENVS_ENGINE'] as const

/** Runs a session under the settings of the user. @returns The guest's exit status. */
export async function runTypedSession(host: Host, session: TypedSession): Promise<number> {
  // Read before the settings are: a plan with a text that is too old is not followed.
  const plain = await plainForm(host, session)
  return runInEnvironment(host, session.name, await wishOf(host, session), plain)
}

/** What was typed, with what the settings of the user add to it. */
export async function wishOf(host: Host, {command, fields}: TypedSession): Promise<SessionWish> {
  const settings = await readSettings(host)
  return {command, ...fields, durable: settings.value('durable'), engine: settings.value('engine')}
}

/** Undefined where the next session may be unlike this one. */
async function plainForm(host: Host, {fields}: TypedSession): Promise<PlainForm | undefined> {
  const isPlain =
    host.uid !== 0 &&
    Object.values(fields).every((value) => value === undefined || value.length === 0) &&
    VARIABLES_THAT_MATTER.every((name) => !host.environment[name])
  return isPlain ? {settings: await readConfigText(configPath(host))} : undefined
}

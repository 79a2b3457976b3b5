import type {Host} from '../../host/host.js'
import type {EnvironmentName} from '../../store/environments.js'
import {type RunOptions, runInEnvironment} from './run.js'
import {withSettings} from './typed-session.js'

/** The end of a command in an environment. The texts are the guest's: escape them before a terminal sees them. */
export type CapturedSession = {readonly status: number; readonly stdout: string; readonly stderr: string}

/** Many times what any program says about services; more is left out. */
const MOST_CHARACTERS = 2 * 2 ** 20

/**
 * Runs a command as root of an environment, with an empty input, and returns what it prints. Starts the environment when it is stopped.
 *
 * @throws As `runInEnvironment`.
 */
export async function captureInEnvironment(
  host: Host,
  name: EnvironmentName,
  command: readonly string[],
  options: Pick<RunOptions, 'mostBootMs'> = {},
): Promise<CapturedSession> {
  const texts = {stdout: '', stderr: ''}
  const fields = {user: undefined, workingFolder: '/', variables: ['TZ=UTC'], volumes: []}
  const wish = await withSettings(host, {name, command, fields})
  const status = await runInEnvironment(host, name, wish, {
    ...options,
    onOutput(stream, chunk) {
      if (texts[stream].length < MOST_CHARACTERS) texts[stream] += chunk.toString('utf8')
    },
  })
  return {status, ...texts}
}

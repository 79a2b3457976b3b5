import type {Host} from '../../host/host.js'
import {unitName} from '../../rootfs/tree-services.js'
import {findEnvironment} from '../../store/environments.js'
import {captureInEnvironment} from '../session/capture.js'
import {serviceNotFoundError} from './errors.js'
import type {ServiceLogResult} from './results.js'

/** Of the supervisor of `init=services`: a file a unit. */
const FOLDER = '/var/log/services'

/**
 * Prints the end of the logs of units: from the journal where systemd runs, else from the files of the supervisor. Arguments: the
 * number of lines, the units.
 */
const SCRIPT = `lines=$1; shift
if [ -d /run/systemd/journal ]; then
  for unit; do set -- "$@" -u "$unit"; shift; done
  exec journalctl --quiet --no-pager --output=short --lines="$lines" "$@"
fi
for unit; do [ ! -f "${FOLDER}/$unit.log" ] || tail -n "$lines" -- "${FOLDER}/$unit.log"; done`

/** Returns the command that prints the last lines of what units printed. */
export function logCommand(units: readonly string[], {lines}: {readonly lines: number}): string[] {
  return ['/bin/sh', '-c', SCRIPT, 'envs-log', String(lines), ...units]
}

/** As systemctl's status shows, with some more for a look back. */
const SHOWN_LINES = 100

/**
 * Returns the last lines that units printed, as the init keeps them. Starts the environment when it is stopped.
 *
 * @throws {@link serviceNotFoundError} For a word that is no name of a unit.
 */
export async function readServiceLog(
  host: Host,
  text: string,
  words: readonly string[],
): Promise<ServiceLogResult> {
  const {name} = await findEnvironment(host.paths, text)
  const units = words.map((word) => {
    const unit = unitName(word)
    if (unit === undefined) throw serviceNotFoundError({name, unit: word})
    return unit
  })
  const {stdout} = await captureInEnvironment(host, name, logCommand(units, {lines: SHOWN_LINES}))
  return {name, units, text: stdout}
}

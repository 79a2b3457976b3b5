import type {Host} from '../../host/host.js'
import {unitName} from '../../rootfs/tree-services.js'
import {findEnvironment} from '../../store/environments.js'
import {initOf} from '../../store/record.js'
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
from_journal() {
  for unit; do set -- "$@" -u "$unit"; shift; done
  journalctl --quiet --no-pager --output=short --lines="$lines" "$@"
}
if [ -d /run/systemd/journal ]; then from_journal "$@"
else for unit; do [ ! -f "${FOLDER}/$unit.log" ] || tail -n "$lines" -- "${FOLDER}/$unit.log"; done
fi`

/** Returns the command that prints the last lines of what units printed. */
function logCommand(units: readonly string[], {lines}: {readonly lines: number}): string[] {
  return ['/bin/sh', '-c', SCRIPT, 'envs-log', String(lines), ...units]
}

/** After {@link SCRIPT}: the ends of the log files that bear the name of a unit, which many services write themselves. */
const OWN_FILES = `
for unit; do
  find /var/log -xdev -type f -path "*\${unit%.*}*" -exec tail -qn "$lines" -- {} + | head -c 65536
done`

/** Enough for the last start of a service. */
const LAST_LINES = 30

/** Returns the command that prints the last lines of units, those that they wrote to files of their own included. */
export function wholeLogCommand(units: readonly string[], {lines = LAST_LINES} = {}): string[] {
  return ['/bin/sh', '-c', SCRIPT + OWN_FILES, 'envs-log', String(lines), ...units]
}

/** As systemctl's status shows, with some more for a look back. */
const SHOWN_LINES = 100

/**
 * Returns the last lines that units printed, as the init keeps them; without an init, the ends of files in /var/log that bear their
 * names. Starts the environment when it is stopped.
 *
 * @throws {@link serviceNotFoundError} For a word that is no name of a unit.
 */
export async function readServiceLog(
  host: Host,
  text: string,
  words: readonly string[],
): Promise<ServiceLogResult> {
  const environment = await findEnvironment(host.paths, text)
  const {name} = environment
  const units = words.map((word) => {
    const unit = unitName(word)
    if (unit === undefined) throw serviceNotFoundError({name, unit: word})
    return unit
  })
  const command = initOf(environment.record) === 'none' ? wholeLogCommand : logCommand
  const {stdout} = await captureInEnvironment(host, name, command(units, {lines: SHOWN_LINES}))
  return {name, units, text: stdout}
}

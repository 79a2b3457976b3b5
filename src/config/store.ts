import {dirname} from 'node:path'
import {takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {configBusyError} from './errors.js'
import {configPath, readConfigFile} from './file.js'
import {SETTINGS, type SettingName, type SettingValues} from './schema.js'
import {parseSetting} from './settings.js'

/** A change takes milliseconds; who holds the lock longer than this hangs. */
const WAIT_MS = 10_000

/**
 * Writes a setting to the user's file.
 *
 * @param text - The value as typed.
 * @returns The value as it is kept.
 * @throws {@link invalidSettingError}
 * @throws {@link configCorruptError}
 * @throws {@link configBusyError}
 */
export async function storeSetting<Name extends SettingName>(
  host: Pick<Host, 'paths'>,
  name: Name,
  text: string,
): Promise<Exclude<SettingValues[Name], undefined>> {
  const value = parseSetting<SettingValues[Name]>(SETTINGS[name], text, name)
  await changeFile(host, (file) => file.set(name, value))
  return value
}

/**
 * Takes a setting out of the user's file, so that the built-in value holds again.
 *
 * @throws {@link configCorruptError}
 * @throws {@link configBusyError}
 */
export async function clearSetting(host: Pick<Host, 'paths'>, name: SettingName): Promise<void> {
  await changeFile(host, (file) => file.delete(name))
}

type ConfigFile = {set(name: string, value: unknown): void; delete(name: string): void}

/** conf reads, changes and writes the file without a lock of its own: two at once would lose a change. */
async function changeFile({paths}: Pick<Host, 'paths'>, change: (file: ConfigFile) => void): Promise<void> {
  const path = configPath({paths})
  await makeFolders(dirname(path), {mode: 0o700})
  const lock = await takeLock(`${path}.lock`, {mode: 'exclusive', waitMs: WAIT_MS})
  if (lock === undefined) throw configBusyError({path})
  try {
    // conf's own complaint about a damaged file doesn't name it.
    await readConfigFile(path)
    const {default: Conf} = await import('conf')
    change(
      new Conf({
        cwd: paths.config,
        clearInvalidConfig: false,
        configFileMode: 0o600,
        configName: 'config',
        fileExtension: 'json',
        projectName: 'envs',
      }),
    )
  } finally {
    lock.release()
  }
}

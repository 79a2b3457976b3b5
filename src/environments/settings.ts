import {orNearest, UsageError} from '../errors.js'
import type {Host} from '../host/host.js'
import {nearestNames} from '../host/nearest.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {parseAllowedHost, parseAllowedNetwork} from '../sandbox/network/allowed.js'
import {findEnvironment} from '../store/environments.js'
import {noSystemdError} from '../store/errors.js'
import {lockHistory, withLockedEnvironment} from '../store/locks.js'
import {
  type EnvironmentRecord,
  type EnvironmentSettings,
  INIT_KINDS,
  initOf,
  NETWORK_KINDS,
  writeRecord,
} from '../store/record.js'
import {networkResultOf, requireConsistent} from './network/settings.js'
import type {EnvironmentSettingsResult} from './results.js'
import {renewServicePolicy} from './services/policy.js'
import {hasSystemd, SYSTEMD_PACKAGES} from './systemd-packages.js'

/** One setting of an environment, as `envs set` takes it. */
type SettingOfEnvironment = {
  /** Completes "must be …". */
  readonly allowed: string
  /** Returns the settings with the new value; undefined when the text is no value. */
  readonly change: (settings: EnvironmentSettings, text: string) => EnvironmentSettings | undefined
}

/** The settings by name. A new one is a line here, and a field in the schema of the record. */
const SETTINGS: Readonly<Record<'init' | 'network' | 'allow' | 'allow-host', SettingOfEnvironment>> = {
  init: {
    allowed: INIT_KINDS.join(', '),
    change({init: _, ...others}, text) {
      const init = INIT_KINDS.find((kind) => kind === text)
      if (init === undefined) return undefined
      return init === 'none' ? others : {...others, init}
    },
  },
  network: {
    allowed: NETWORK_KINDS.join(', '),
    change({network: _, ...others}, text) {
      const network = NETWORK_KINDS.find((kind) => kind === text)
      if (network === undefined) return undefined
      return network === 'host' ? others : {...others, network}
    },
  },
  allow: {
    allowed: 'networks such as 192.0.2.0/24, separated by commas, or nothing for all',
    change({allow: _, ...others}, text) {
      const networks = text.split(',').filter((each) => each !== '')
      return networks.length === 0 ? others : {...others, allow: networks.map(parseAllowedNetwork)}
    },
  },
  'allow-host': {
    allowed: 'names of hosts, separated by commas, or nothing for none',
    change({allowHosts: _, ...others}, text) {
      const hosts = text.split(',').filter((each) => each !== '')
      return hosts.length === 0 ? others : {...others, allowHosts: hosts.map(parseAllowedHost)}
    },
  },
}

/** A change of settings, parsed. */
export type SettingsChange = (settings: EnvironmentSettings) => EnvironmentSettings

/** Parses words `KEY=VALUE`. @throws {UsageError} */
export function parseSettingsChange(words: readonly string[]): SettingsChange {
  if (words.length === 0)
    throw new UsageError('No setting was given.', [`Write KEY=VALUE, such as init=${INIT_KINDS[1]}.`])
  const changes = words.map(parseWord)
  return (settings) => changes.reduce((changed, change) => change(changed), settings)
}

function parseWord(word: string): SettingsChange {
  const {name = '', text = ''} = /^(?<name>[^=]+)=(?<text>.*)$/s.exec(word)?.groups ?? {}
  if (name === '') throw new UsageError(`"${word}" is not of the form KEY=VALUE.`)
  const setting = Object.entries(SETTINGS).find(([known]) => known === name)?.[1]
  if (setting === undefined) {
    const nearest = nearestNames(name, Object.keys(SETTINGS))
    throw new UsageError(
      `An environment has no setting "${name}".`,
      orNearest(nearest).suggestions ?? [`The settings are: ${Object.keys(SETTINGS).join(', ')}.`],
    )
  }
  if (setting.change({}, text) === undefined)
    throw new UsageError(`The value "${text}" of "${name}" is invalid: it must be ${setting.allowed}.`)
  return (settings) => setting.change(settings, text) ?? settings
}

/**
 * Changes settings of an environment. A running environment gets them at its next start. One that an earlier version of envs made
 * gets the files for services of this version.
 *
 * @throws {EnvironmentNotFoundError} @throws {EnvironmentBusyError} @throws {@link noSystemdError}
 * @throws As `renewServicePolicy`.
 */
export async function changeSettings(
  host: Host,
  text: string,
  change: SettingsChange,
): Promise<EnvironmentSettingsResult> {
  const {paths} = host
  // Before the change: a start with the new init must not find the former files.
  const hasOwnPolicy = (await renewServicePolicy(host, text)) === 'own'
  // Shared with the sessions of the environment; the other lock serializes writers.
  return withLockedEnvironment(
    paths,
    'shared',
    () => findEnvironment(paths, text),
    async ({name, files}) => {
      const writing = await lockHistory({name, files})
      try {
        const environment = await findEnvironment(paths, name)
        const {record} = environment
        const changed: EnvironmentRecord = {...record, settings: change(record.settings)}
        requireConsistent(name, changed.settings)
        if (initOf(changed) === 'systemd' && !(await hasSystemd(host, environment)))
          throw noSystemdError({name, packages: SYSTEMD_PACKAGES.join(' ')})
        await writeRecord(files.record, changed)
        const isRunning = readLiveAnchor(files.run) !== undefined
        return {name, settings: {init: initOf(changed), ...networkResultOf(changed)}, isRunning, hasOwnPolicy}
      } finally {
        writing.release()
      }
    },
  )
}

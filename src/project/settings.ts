import {limitsIn} from '../features/limit-texts.js'
import {parsePublication} from '../sandbox/network/publication.js'
import type {EnvironmentSettings} from '../store/record.js'
import type {ProjectEnvironment} from './environment.js'

/** Returns the settings that an environment has by the file: they are no part of a layer, and hold from its next start on. */
export function settingsOf({path, table, wish}: ProjectEnvironment, key: string): EnvironmentSettings {
  const {ports = [], limits} = wish
  const limited =
    limits &&
    limitsIn(Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, String(value)])))
  return {
    project: {path, table, key},
    // Ports of the host's network are ports of the host already.
    ...(ports.length === 0 ? {} : {network: 'private' as const, publish: ports.map(parsePublication)}),
    ...(limited === undefined ? {} : {limits: limited}),
  }
}

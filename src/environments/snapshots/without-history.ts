import {readSettings} from '../../config/settings.js'
import {EnvsError} from '../../errors.js'
import {seeChecks} from '../../host/check.js'
import type {Host} from '../../host/host.js'
import type {Environment} from '../../store/environments.js'
import {noHistoryError} from '../../store/snapshot-errors.js'
import {chooseStorage, findEngine, identityFor} from '../session/engine.js'

/** Returns the error for an environment without layers. A new one is suggested only where it would have layers. */
export async function withoutHistory(
  host: Host,
  {name, record}: Pick<Environment, 'name' | 'record'>,
): Promise<EnvsError> {
  const image = record.image.name ?? 'IMAGE'
  if (await canHaveLayers(host)) return noHistoryError({name, image})
  const [copy = ''] = noHistoryError({name, image}).suggestions
  return noHistoryError({name, image}, {suggestions: [copy, seeChecks('overlay')]})
}

/** Returns whether a new environment would have layers, if the setting storage asked for them. */
async function canHaveLayers(host: Host): Promise<boolean> {
  const settings = await readSettings(host)
  try {
    const engine = await findEngine(host, settings.value('engine'))
    const identity = await identityFor(engine, settings.value('identity'), host)
    return (await chooseStorage('auto', host, {identity, engine})) === 'overlay'
  } catch (error) {
    if (!(error instanceof EnvsError)) throw error
    return false
  }
}

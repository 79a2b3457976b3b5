import {UsageError} from '../../errors.js'
import {formatPublication} from '../../sandbox/network/publication.js'
import {type EnvironmentRecord, type EnvironmentSettings, networkOf} from '../../store/record.js'

/** Returns the settings of the network of an environment, as commands print them. */
export function networkResultOf(record: Pick<EnvironmentRecord, 'settings'>) {
  const {publish = [], allow = [], allowHosts = []} = record.settings
  return {
    network: networkOf(record),
    publish: publish.map(formatPublication),
    allow: [...allow],
    allowHosts: [...allowHosts],
  }
}

/**
 * Refuses settings that exclude each other.
 *
 * @param name - Name of the environment; undefined for one that does not exist yet.
 * @throws {UsageError}
 */
export function requireConsistent(name: string | undefined, settings: EnvironmentSettings): void {
  const network = networkOf({settings})
  const [published] = settings.publish ?? []
  if (published !== undefined && network === 'host')
    throw new UsageError("With the host's network, ports of an environment are ports of the host already.", [
      name === undefined
        ? 'Give it a network of its own: --network none, or --network private'
        : `Give it a network of its own: envs set ${name} network=none`,
      ...(name === undefined
        ? []
        : [`Or take the publication back: envs publish ${name} --remove ${formatPublication(published)}`]),
    ])
  if (settings.allowHosts !== undefined && network !== 'none')
    throw new UsageError('A list of allowed hosts needs the network none: its proxy is the only way out.', [
      name === undefined
        ? 'Add --network none.'
        : `Change both: envs set ${name} network=none allow-host=HOST; or clear the list: envs set ${name} allow-host=`,
    ])
  if (settings.allow !== undefined && network !== 'private')
    throw new UsageError('A list of allowed networks needs the network private.', [
      name === undefined
        ? 'Add --network private.'
        : `Change both: envs set ${name} network=private allow=NETWORK; or clear the list: envs set ${name} allow=`,
    ])
}

import type {Host} from '../../host/host.js'
import {templateText} from '../../host/paths.js'
import {findCgroups} from '../../sandbox/init/cgroups.js'
import {findEnvironment} from '../../store/environments.js'
import {packagesNotInstalledError} from '../../store/errors.js'
import {confinementOf, type InitKind} from '../../store/record.js'
import {runInEnvironment} from '../session/run.js'
import {changeSettings, parseSettingsChange} from '../settings.js'
import {hasSystemd, SYSTEMD_PACKAGES} from '../systemd-packages.js'

/** `auto`: systemd where the image has one and the host can boot it, else the supervisor of envs. */
export type InitWish = InitKind | 'auto'

/**
 * Gives a new environment its init, and installs the packages of systemd if it is to have systemd and has none.
 *
 * @param options.isQuiet - Whether only failures of APT are reported.
 * @param options.canFetch - Whether APT may ask its servers.
 * @throws {@link packagesNotInstalledError} The environment then has the init `none`.
 */
export async function prepareInit(
  host: Host,
  name: string,
  {wish, isQuiet, canFetch}: {readonly wish: InitWish; readonly isQuiet: boolean; readonly canFetch: boolean},
): Promise<InitKind> {
  if (wish === 'none') return wish
  const environment = await findEnvironment(host.paths, name)
  const hasPackages = await hasSystemd(host, environment)
  const mayMount = confinementOf(environment.record).profile !== 'isolated'
  const canBoot = wish === 'auto' && mayMount && hasPackages && (await findCgroups(host)) !== undefined
  const init = wish === 'auto' ? (canBoot ? 'systemd' : 'services') : wish
  if (init === 'systemd' && !hasPackages) {
    // APT in the environment would ask its servers.
    if (!canFetch) {
      const later = `Where there is a network: envs set ${name} init=systemd, and install them in the environment.`
      throw packagesNotInstalledError({packages: SYSTEMD_PACKAGES}, {suggestions: [later]})
    }
    await install(host, name, isQuiet)
  }
  await changeSettings(host, name, parseSettingsChange([`init=${init}`]))
  return init
}

async function install(host: Host, name: string, isQuiet: boolean): Promise<void> {
  const script = await templateText('guest/install-packages.sh')
  const told = isQuiet ? 'failures' : 'all'
  const status = await runInEnvironment(host, name, {
    command: ['/bin/sh', '-c', script, 'envs', told, ...SYSTEMD_PACKAGES],
    user: undefined,
    workingFolder: undefined,
    variables: ['DEBIAN_FRONTEND=noninteractive'],
    volumes: [],
    durable: 'auto',
  })
  if (status !== 0) throw packagesNotInstalledError({packages: SYSTEMD_PACKAGES})
}

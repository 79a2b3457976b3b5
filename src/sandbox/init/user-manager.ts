import type {Host} from '../../host/host.js'
import {capture} from '../../host/process.js'

type ManagedHost = Pick<Host, 'environment' | 'uid' | 'which'>

/** Returns the folder of the user manager's sockets. Where cron or su started this process, no variable names it. */
export function managerFolder({environment, uid}: Pick<Host, 'environment' | 'uid'>): string {
  return environment['XDG_RUNTIME_DIR'] || `/run/user/${uid}`
}

/**
 * Returns an argv prefix that starts a program in a new scope of the user manager, with control groups that are delegated to it.
 *
 * The program is the child of the caller and inherits its descriptors. The time to stop is longer than units of a guest have.
 *
 * @param properties - Further ones, such as limits.
 * @see systemd-run(1), https://systemd.io/CGROUP_DELEGATION
 */
export function scopeWords(host: ManagedHost, properties: readonly string[] = []): string[] {
  return [
    ...['/usr/bin/env', `XDG_RUNTIME_DIR=${managerFolder(host)}`],
    ...[host.which('systemd-run') ?? 'systemd-run', '--user', '--scope', '--quiet', '--collect'],
    ...['--property=Delegate=yes', '--property=TimeoutStopSec=100'],
    ...[...properties.map((property) => `--property=${property}`), '--'],
  ]
}

/** Returns the unit of a user manager that a group belongs to; undefined for another group. @see systemd.slice(5) */
export function unitOf(group: string, uid: number): string | undefined {
  const [, below] = group.split(`/user@${uid}.service/`)
  return below?.split('/').find((name) => /\.(?:service|scope)$/.test(name))
}

/** Returns the variables with which programs of systemd find the user manager. */
export function managerVariables(host: Pick<Host, 'environment' | 'uid'>) {
  return {...host.environment, XDG_RUNTIME_DIR: managerFolder(host), LC_ALL: 'C.UTF-8'}
}

/** Longer than a busy logind takes to answer. */
const TIMEOUT_MS = 60_000

/** Returns whether the user manager runs without a login, from the boot of the host on; null where nobody knows. */
export async function lingers(host: ManagedHost): Promise<boolean | null> {
  if (host.which('loginctl') === undefined) return null
  const words = ['loginctl', 'show-user', String(host.uid), '--property=Linger', '--value']
  const {status, stdout} = await capture(words, {env: managerVariables(host), timeout: TIMEOUT_MS})
  return status === 0 ? stdout.trim() === 'yes' : null
}

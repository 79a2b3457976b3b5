import {hide} from './simulated-host.js'

/** What a host forbids, or lacks. */
export type Restriction = {
  readonly without?: readonly string[]
  /** Shell commands of root in a mount namespace of the host's own. */
  readonly prepare?: string
  /** No user namespace may be made in it. */
  readonly forbidsNamespaces?: boolean
  /** It has a network with nothing in it. */
  readonly isOffline?: boolean
}

const FORBID =
  'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"'

/**
 * Words before a program that is to run on such a host, as the ordinary user that the caller is.
 *
 * It is two user namespaces deep: the outer one may mount, the inner one has the caller's own id and no capabilities.
 * So newuidmap has no power there.
 */
export function onRestrictedHost({
  without = [],
  prepare = '',
  forbidsNamespaces = false,
  isOffline = false,
}: Restriction): readonly string[] {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()]
  const script = [...(without.length > 0 ? [hide(...without)] : []), prepare, 'exec "$@"'].join('\n')
  return [
    ...['unshare', '--map-root-user', '--mount', ...(isOffline ? ['--net'] : []), '--'],
    ...['sh', '-ec', script, 'sh'],
    ...['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`],
    ...(forbidsNamespaces ? ['--keep-caps', '--', 'sh', '-ec', FORBID, 'sh'] : ['--']),
  ]
}

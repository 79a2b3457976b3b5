import type {Fix} from './fix.js'

/** Every session finds a read-only folder of envs here, with the host's current resolver file. */
const RESOLVER_FOLDER = 'run/envs'

/**
 * Makes the guest read the host's resolver file through a link: packages could not replace a bind mount, and
 * it would keep its first content when the host's network changes.
 */
export const resolver: Fix = {
  name: 'resolver',
  describe: "follow the host's name servers",
  plan() {
    return [
      {kind: 'folder', path: RESOLVER_FOLDER, mode: 0o755},
      {kind: 'link', path: 'etc/resolv.conf', target: `/${RESOLVER_FOLDER}/resolv.conf`},
    ]
  },
}

import type {Fix} from './fix.js'

/** Where every session finds a folder of ours bound read-only, kept as the host's resolver file is. */
const RESOLVER_FOLDER = 'run/envs'

/**
 * Makes the guest read the host's resolver file through a link: a file bound over could not be replaced by
 * packages, and would keep its first content when the host's network changes.
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

import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** No package owns this folder, so no upgrade replaces files of envs, and envs replaces none of a package. */
const OWN_FOLDER = 'usr/lib/envs'

/**
 * Installing is several times faster if dpkg does not wait for the disk after every file. Applies only to
 * APT, because only APT reports its end, at which one sync of the file system replaces all others.
 *
 * @see apt.conf(5), Dir::Bin and DPkg::Post-Invoke; dpkg(1), --force-unsafe-io
 */
export const aptSyncs: Fix = {
  name: 'apt-syncs',
  describe: 'let APT sync once, at the end',
  plan(tree, {syncFilter}) {
    if (tree.kindOf('etc/apt') === 'nothing' || tree.kindOf('var/lib/dpkg') === 'nothing') return []
    const filter = Buffer.from(syncFilter, 'base64')
    return [
      {kind: 'file', path: `${OWN_FOLDER}/dpkg`, content: fillTemplate('dpkg'), mode: 0o755},
      {kind: 'file', path: `${OWN_FOLDER}/load-filter`, content: fillTemplate('load-filter'), mode: 0o755},
      {kind: 'file', path: `${OWN_FOLDER}/sync.bpf`, content: filter, mode: 0o644},
      // Last, because it refers to the others.
      {
        kind: 'file',
        path: 'etc/apt/apt.conf.d/90envs-dpkg',
        content: fillTemplate('apt-dpkg.conf'),
        mode: 0o644,
      },
    ]
  },
}

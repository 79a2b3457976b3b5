import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Of no package, so that no package's file is replaced and no upgrade replaces ours. */
const OWN_FOLDER = 'usr/lib/envs'

/**
 * Installing is several times faster when dpkg does not wait for the disk after every file. Only what APT does is
 * sped up, for APT alone says when it is done: one sync of the file system then makes up for all.
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
      // Last: it names the others.
      {
        kind: 'file',
        path: 'etc/apt/apt.conf.d/90envs-dpkg',
        content: fillTemplate('apt-dpkg.conf'),
        mode: 0o644,
      },
    ]
  },
}

import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** In Ubuntu's cloud images it asks, during an APT run, which services to restart. @see needrestart(1) */
export const needrestart: Fix = {
  name: 'needrestart',
  describe: 'keep needrestart from asking about services',
  plan(tree) {
    if (tree.kindOf('etc/needrestart') !== 'folder') return []
    const path = 'etc/needrestart/conf.d/90envs.conf'
    return [{kind: 'file', path, content: fillTemplate('needrestart.conf'), mode: 0o644}]
  },
}

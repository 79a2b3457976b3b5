import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Without an init, a package that starts its service can't be installed. @see invoke-rc.d(8) */
export const policyRcD: Fix = {
  name: 'policy-rc.d',
  describe: 'keep packages from starting services',
  plan(tree) {
    if (tree.kindOf('var/lib/dpkg') === 'nothing') return []
    return [{kind: 'file', path: 'usr/sbin/policy-rc.d', content: fillTemplate('policy-rc.d'), mode: 0o755}]
  },
}

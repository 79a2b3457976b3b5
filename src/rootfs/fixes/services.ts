import {type Edit, type Fix, fillTemplate} from './fix.js'

/** Without an init, a package that starts its service can't be installed. @see invoke-rc.d(8) */
export const policyRcD: Fix = {
  name: 'policy-rc.d',
  describe: 'keep packages from starting services',
  plan(tree) {
    if (tree.kindOf('var/lib/dpkg') === 'nothing') return []
    return [{kind: 'file', path: 'usr/sbin/policy-rc.d', content: fillTemplate('policy-rc.d'), mode: 0o755}]
  },
}

/** No package owns this folder, so no upgrade replaces files of envs, and envs replaces none of a package. */
const PROGRAM = 'usr/lib/envs/note-services'

/**
 * Makes APT, and dpkg when called by hand, record the services that packages would have started, and print their names.
 *
 * @see apt.conf(5), DPkg::Pre-Invoke; dpkg(1), --pre-invoke and dpkg.cfg.d
 */
export const serviceNotes: Fix = {
  name: 'service-notes',
  describe: 'let APT and dpkg say which services did not start',
  plan(tree) {
    if (tree.kindOf('var/lib/dpkg') === 'nothing') return []
    return [
      {kind: 'file', path: PROGRAM, content: fillTemplate('note-services'), mode: 0o755},
      settings('etc/dpkg/dpkg.cfg.d/envs-services', 'dpkg-services.cfg'),
      ...(tree.kindOf('etc/apt') === 'nothing'
        ? []
        : [settings('etc/apt/apt.conf.d/93envs-services', 'apt-services.conf')]),
    ]
  },
}

function settings(path: string, template: string): Edit {
  return {kind: 'file', path, content: fillTemplate(template), mode: 0o644}
}

import {POLICY_PROGRAM} from '../service-policy.js'
import {type Edit, type Fix, fillTemplate} from './fix.js'

type FileEdit = Extract<Edit, {kind: 'file'}>

/** Without an init, a package that starts its service can't be installed. @see invoke-rc.d(8) */
export const policyRcD: Fix = {
  name: 'policy-rc.d',
  describe: 'keep packages from starting services',
  plan: (tree) => (tree.kindOf('var/lib/dpkg') === 'nothing' ? [] : [policyFile()]),
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
    return [...hooksOfDpkg(), ...(tree.kindOf('etc/apt') === 'nothing' ? [] : [hookOfApt()])]
  },
}

/** Returns the files of both fixes, for a tree with dpkg and APT. */
export function serviceFiles(): FileEdit[] {
  return [...hooksOfDpkg(), hookOfApt(), policyFile()]
}

function policyFile(): FileEdit {
  return file(POLICY_PROGRAM, 'policy-rc.d', 0o755)
}

function hooksOfDpkg(): FileEdit[] {
  return [
    file(PROGRAM, 'note-services', 0o755),
    file('etc/dpkg/dpkg.cfg.d/envs-services', 'dpkg-services.cfg', 0o644),
  ]
}

function hookOfApt(): FileEdit {
  return file('etc/apt/apt.conf.d/93envs-services', 'apt-services.conf', 0o644)
}

function file(path: string, template: string, mode: number): FileEdit {
  return {kind: 'file', path, content: fillTemplate(`services/${template}`), mode}
}

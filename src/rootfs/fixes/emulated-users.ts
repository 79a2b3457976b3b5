import type {Edit, Fix} from './fix.js'
import {fillTemplate} from './template.js'

const FOLDER = 'usr/lib/envs'
const PROGRAMS = ['become', 'lay-shims']
const PARTS = ['main.pl', 'su.pl', 'sudo.pl', 'postgresql.pl']

/**
 * Without real changes of user, su and similar programs would continue as root. This fix adds their
 * replacements; the environment installs these at its start, and before packages are configured.
 *
 * @see docs/decisions/0013-users-by-nested-maps.md
 */
export const emulatedUsers: Fix = {
  name: 'emulated-users',
  describe: 'let su, sudo and their like become the user',
  plan(tree, {identity}) {
    if (identity !== 'emulated' || tree.kindOf('var/lib/dpkg') === 'nothing') return []
    return [
      ...PARTS.map((part): Edit => file(`become.d/${part}`, 0o644)),
      // The second one makes use of the first.
      ...PROGRAMS.map((program): Edit => file(program, 0o755)),
    ]
  },
}

function file(name: string, mode: number): Edit {
  return {kind: 'file', path: `${FOLDER}/${name}`, content: fillTemplate(name), mode}
}

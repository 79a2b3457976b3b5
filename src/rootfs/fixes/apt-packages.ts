import type {Edit, Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** No package owns this folder, so no upgrade replaces files of envs, and envs replaces none of a package. */
const OWN_FOLDER = 'usr/lib/envs'

/** Until APT 1.5, https has a separate program, in a package that may be missing. */
const METHODS = ['http', 'https'] as const

/**
 * Puts a program of envs in front of APT's methods, which takes packages from the folder that environments
 * share. It needs one name for each method: a script can't see by which name it was called.
 *
 * @see The file apt-pkg/acquire-worker.cc of APT's source, Dir::Bin::Methods::NAME; APT before 1.3 ignores it
 */
export const aptPackages: Fix = {
  name: 'apt-packages',
  describe: 'let APT take packages that another environment has fetched',
  plan(tree) {
    if (tree.kindOf('etc/apt') === 'nothing') return []
    const methods = METHODS.filter((method) => tree.kindOf(`usr/lib/apt/methods/${method}`) !== 'nothing')
    if (methods.length === 0) return []
    const program = fillTemplate('apt-http')
    const settings = Buffer.concat(methods.map((method) => fillTemplate('apt-packages.conf', {method})))
    return [
      {kind: 'file', path: `${OWN_FOLDER}/apt-http.pl`, content: fillTemplate('apt-http.pl'), mode: 0o644},
      ...methods.map(
        (method): Edit => ({
          kind: 'file',
          path: `${OWN_FOLDER}/apt-methods/${method}`,
          content: program,
          mode: 0o755,
        }),
      ),
      // Last, because it refers to the others.
      {kind: 'file', path: 'etc/apt/apt.conf.d/91envs-packages', content: settings, mode: 0o644},
    ]
  },
}

import type {Edit, Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Of no package, so that no package's file is replaced and no upgrade replaces ours. */
const OWN_FOLDER = 'usr/lib/envs'

/** https has its own program, of a package that may be missing, until APT 1.5. */
const METHODS = ['http', 'https'] as const

/**
 * Puts a program of ours before APT's methods, which takes packages from the folder that environments share.
 * It knows the method by its own name: a script is not told by which other one it was started.
 *
 * @see The file apt-pkg/acquire-worker.cc of APT's source, Dir::Bin::Methods::NAME; before APT 1.3 nothing reads it
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
      // Last: it names the others.
      {kind: 'file', path: 'etc/apt/apt.conf.d/91envs-packages', content: settings, mode: 0o644},
    ]
  },
}

import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** No package owns this folder, so no upgrade replaces files of envs, and envs replaces none of a package. */
const PROGRAM = 'usr/lib/envs/ask-restore-point'

/**
 * Makes APT, and dpkg when called by hand, request a restore point before packages change.
 *
 * @see apt.conf(5), DPkg::Pre-Invoke; dpkg(1), --pre-invoke and dpkg.cfg.d
 */
export const restorePoints: Fix = {
  name: 'restore-points',
  describe: 'let APT and dpkg ask for a point to go back to',
  plan(tree) {
    if (tree.kindOf('var/lib/dpkg') === 'nothing') return []
    return [
      {kind: 'file', path: PROGRAM, content: fillTemplate('ask-restore-point'), mode: 0o755},
      {
        kind: 'file',
        path: 'etc/dpkg/dpkg.cfg.d/envs-restore-points',
        content: fillTemplate('dpkg-restore-points.cfg'),
        mode: 0o644,
      },
      ...(tree.kindOf('etc/apt') === 'nothing'
        ? []
        : [
            {
              kind: 'file' as const,
              path: 'etc/apt/apt.conf.d/92envs-restore-points',
              content: fillTemplate('apt-restore-points.conf'),
              mode: 0o644,
            },
          ]),
    ]
  },
}

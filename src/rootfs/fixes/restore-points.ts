import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Of no package, so that no package's file is replaced and no upgrade replaces ours. */
const PROGRAM = 'usr/lib/envs/ask-restore-point'

/**
 * Has APT, and a dpkg that somebody calls by hand, ask for a point to go back to before packages change.
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

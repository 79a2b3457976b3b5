import {replaceUris} from '../../apt/format/sources.js'
import {readSourceFiles, replacementFor} from './apt-sources.js'
import {type Edit, type Fix, fillTemplate} from './fix.js'

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
    const program = fillTemplate('apt/apt-http')
    const settings = Buffer.concat(methods.map((method) => fillTemplate('apt/apt-packages.conf', {method})))
    return [
      {
        kind: 'file',
        path: `${OWN_FOLDER}/apt-http.pl`,
        content: fillTemplate('apt/apt-http.pl'),
        mode: 0o644,
      },
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

/**
 * Installing is several times faster if dpkg does not wait for the disk after every file. Applies only to
 * APT, because only APT reports its end, at which one sync of the file system replaces all others.
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
      {kind: 'file', path: `${OWN_FOLDER}/dpkg`, content: fillTemplate('apt/dpkg'), mode: 0o755},
      {
        kind: 'file',
        path: `${OWN_FOLDER}/load-filter`,
        content: fillTemplate('apt/load-filter'),
        mode: 0o755,
      },
      {kind: 'file', path: `${OWN_FOLDER}/sync.bpf`, content: filter, mode: 0o644},
      // Last, because it refers to the others.
      {
        kind: 'file',
        path: 'etc/apt/apt.conf.d/90envs-dpkg',
        content: fillTemplate('apt/apt-dpkg.conf'),
        mode: 0o644,
      },
    ]
  },
}

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
      {kind: 'file', path: PROGRAM, content: fillTemplate('apt/ask-restore-point'), mode: 0o755},
      {
        kind: 'file',
        path: 'etc/dpkg/dpkg.cfg.d/envs-restore-points',
        content: fillTemplate('apt/dpkg-restore-points.cfg'),
        mode: 0o644,
      },
      ...(tree.kindOf('etc/apt') === 'nothing'
        ? []
        : [
            {
              kind: 'file' as const,
              path: 'etc/apt/apt.conf.d/92envs-restore-points',
              content: fillTemplate('apt/apt-restore-points.conf'),
              mode: 0o644,
            },
          ]),
    ]
  },
}

/** Decides for each entry by its own suite: a tree may name several, and os-release names only one. */
export const aptSources: Fix = {
  name: 'apt-sources',
  describe: 'let APT ask archives that hold the release, and the mirrors of the settings',
  plan(tree, {archives}) {
    return readSourceFiles(tree).flatMap(({path, format, text, mode}) => {
      const replaced = replaceUris(text, format, (source) => replacementFor(source, archives))
      if (replaced === text) return []
      return [{kind: 'file', path, content: Buffer.from(replaced, 'latin1'), mode}] as const
    })
  },
}

/** With one mapped user, APT can't become its user _apt, and fails. @see apt.conf(5) */
export const aptSandbox: Fix = {
  name: 'apt-sandbox',
  describe: 'let APT download as root',
  plan(tree) {
    if (tree.kindOf('etc/apt') === 'nothing') return []
    return [
      {kind: 'file', path: 'etc/apt/apt.conf.d/90envs', content: fillTemplate('apt/apt.conf'), mode: 0o644},
    ]
  },
}

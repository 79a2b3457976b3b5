import {type Edit, type Fix, fillTemplate} from './fix.js'

const FOLDER = 'usr/lib/envs'
const PROGRAMS = ['become', 'lay-shims']
const PARTS = ['main.pl', 'su.pl', 'sudo.pl', 'postgresql.pl', 'postfix.pl']

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

/** Every session finds a read-only folder of envs here, with the host's current resolver file. */
const RESOLVER_FOLDER = 'run/envs'

/**
 * Makes the guest read the host's resolver file through a link: packages could not replace a bind mount, and
 * it would keep its first content when the host's network changes.
 */
export const resolver: Fix = {
  name: 'resolver',
  describe: "follow the host's name servers",
  plan() {
    return [
      {kind: 'folder', path: RESOLVER_FOLDER, mode: 0o755},
      {kind: 'link', path: 'etc/resolv.conf', target: `/${RESOLVER_FOLDER}/resolv.conf`},
    ]
  },
}

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

/**
 * Otherwise cloud-init would configure the machine at the first run of an init. @see cloud-init's manual,
 * "Disable cloud-init"
 */
export const cloudInit: Fix = {
  name: 'cloud-init',
  describe: 'keep cloud-init asleep',
  plan(tree) {
    if (tree.kindOf('etc/cloud') !== 'folder') return []
    return [{kind: 'file', path: 'etc/cloud/cloud-init.disabled', content: Buffer.alloc(0), mode: 0o644}]
  },
}

/** Programs recognise a container by this file. @see podman-run(1), "/run/.containerenv" */
export const containerMarker: Fix = {
  name: 'container-marker',
  describe: 'tell programs that they run in a container',
  plan: () => [{kind: 'file', path: 'run/.containerenv', content: fillTemplate('containerenv'), mode: 0o644}],
}

/**
 * The forms of envs for words and flags of podman, distrobox, toolbox, proot-distro and WSL. Each is a next step of an error: no
 * word here means anything to envs. A command of that name, once there is one, takes precedence.
 */

const HOST_NETWORK = 'An environment uses the network of the host: no port has to be published.'
const PACKAGES = 'Packages are those of the environment: envs run NAME apt-get upgrade'
const SHARE = 'Share a folder with one session: envs run --volume SOURCE:TARGET NAME COMMAND'

const WORDS: Readonly<Record<string, readonly string[]>> = {
  add: ['envs create IMAGE'],
  assemble: ['envs create IMAGE'],
  attach: ['envs enter NAME'],
  backup: ['envs export NAME'],
  build: [
    'Install what you need, then keep the state: envs snapshot NAME',
    'As an image: envs export NAME --format oci -o FILE',
  ],
  'clear-cache': ['Free disk space: envs prune'],
  commit: [
    'To go back to this state: envs snapshot NAME',
    'For other programs, as an image: envs export NAME --format docker -o FILE',
    'In a registry: envs push NAME HOST/REPOSITORY:TAG',
  ],
  destroy: ['envs rm NAME'],
  'generate-entry': ['envs shim NAME PROGRAM'],
  'host-exec': ['Programs in an environment cannot run programs of the host.'],
  kill: ['envs ps NAME', 'envs run NAME kill PID'],
  load: [
    'A file of envs export: envs import FILE',
    'A file of podman save or docker save: envs create docker-archive:FILE',
  ],
  logout: ['Credentials are those of podman and Docker: podman logout REGISTRY, or docker logout REGISTRY'],
  mount: ['envs path NAME'],
  network: [HOST_NETWORK],
  pause: ['An environment cannot be paused, but its state can be kept: envs snapshot NAME'],
  port: [HOST_NETWORK],
  pull: ['envs image pull IMAGE'],
  rmi: ['envs image rm IMAGE'],
  save: [
    'For podman load and docker load: envs export NAME --format docker -o FILE',
    'For envs import: envs export NAME -o FILE',
  ],
  ssh: ['envs enter NAME'],
  stats: ['envs ps'],
  status: ['envs list', 'envs show NAME'],
  system: ['Free disk space: envs prune'],
  tag: ['envs snapshot NAME LABEL', 'envs clone NAME NEW'],
  top: ['envs ps'],
  update: [PACKAGES],
  upgrade: [PACKAGES],
  volume: [SHARE],
}

/** Options before a command, as WSL has them. */
const LEADING: Readonly<Record<string, string>> = {
  '--list': 'envs list',
  '-l': 'envs list',
  '--install': 'envs create IMAGE',
  '-d': 'envs enter NAME',
  '--distribution': 'envs enter NAME',
  '--export': 'envs export NAME',
  '--import': 'envs import FILE',
  '--shutdown': 'envs stop NAME',
  '--terminate': 'envs stop NAME',
  '-t': 'envs stop NAME',
  '--unregister': 'envs rm NAME',
  '-u': 'envs enter --user USER NAME',
  '--user': 'envs enter --user USER NAME',
}

const TERMINAL = 'A command has the terminal of its caller: leave the flag out.'
const ONE_COMMAND = 'Run one command: envs run NAME COMMAND'
const RUN = 'The name stands without a flag: envs run NAME COMMAND'
const ENTER = 'The name stands without a flag: envs enter NAME'
const IMAGE = 'The image stands without a flag: envs create IMAGE --name NAME'
const RELEASE = 'The image stands without a flag: envs create DISTRIBUTION:RELEASE'
const TRY = 'An environment that is removed at its end: envs try IMAGE -- COMMAND'
const SHIM = 'Start a program of an environment from the host: envs shim NAME PROGRAM'
const LIST = 'See all environments: envs list --all'

const SESSION_FLAGS: Readonly<Record<string, string>> = {
  ...{
    '-i': TERMINAL,
    '-t': TERMINAL,
    '-it': TERMINAL,
    '-ti': TERMINAL,
    '--tty': TERMINAL,
    '--interactive': TERMINAL,
  },
  '--rm': TRY,
  ...{'-p': HOST_NETWORK, '--publish': HOST_NETWORK, '--net': HOST_NETWORK, '--network': HOST_NETWORK},
  ...{'--bind': SHARE, '--mount': SHARE, '--shared-tmp': SHARE},
}

/** By the id of the command. */
const FLAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  run: {...SESSION_FLAGS, '-n': RUN, '--name': RUN, '-c': RUN, '--container': RUN},
  enter: {
    ...SESSION_FLAGS,
    '-n': ENTER,
    '--name': ENTER,
    '-c': ENTER,
    '--container': ENTER,
    '--': ONE_COMMAND,
  },
  create: {
    ...{
      '-i': IMAGE,
      '--image': IMAGE,
      '-d': RELEASE,
      '--distro': RELEASE,
      '-r': RELEASE,
      '--release': RELEASE,
    },
    '--clone': 'Copy an environment: envs clone NAME NEW',
    '--volume': SHARE,
    '--home':
      'An environment has a home folder of its own. Share one with a session: envs enter --volume SOURCE:TARGET NAME',
    '--additional-packages': 'Install packages afterwards: envs run NAME apt-get install PACKAGE',
    '--init':
      'No init runs in an environment. Start a service by its script: envs run NAME service SERVICE start',
    '--root': 'You are root in an environment without this flag.',
  },
  export: {'--app': SHIM, '--bin': SHIM},
  list: {'-c': LIST, '-a': LIST},
  ps: {'-a': LIST, '--all': LIST},
}

/** Returns next steps for a word that is no command. */
export function wordHabit(word: string): readonly string[] {
  return Object.hasOwn(WORDS, word) ? (WORDS[word] ?? []) : []
}

/** Returns a next step for an option before the command. */
export function leadingHabit(option: string): readonly string[] {
  return Object.hasOwn(LEADING, option) ? [LEADING[option] ?? ''] : []
}

/**
 * Returns next steps for flags that a command does not have.
 *
 * @param id - The id of the command.
 * @param words - Its own arguments, as typed.
 */
export function flagHabits(id: string, words: readonly string[]): string[] {
  const known = Object.hasOwn(FLAGS, id) ? (FLAGS[id] ?? {}) : {}
  const names = words.map((word) => word.replace(/(?<=.)=.*$/s, ''))
  return [...new Set(names.flatMap((name) => (Object.hasOwn(known, name) ? [known[name] ?? ''] : [])))]
}

/** Verbs of other tools between `snapshot` or `snapshots` and the name. */
const SNAPSHOT_VERBS: readonly string[] = ['create', 'delete', 'list', 'ls', 'remove', 'rm']

/** Returns next steps for arguments that other tools place in another order. */
export function argumentHabits(id: string, words: readonly string[]): string[] {
  if (id === 'restore' && words.some((word) => /\.tar\b|\//.test(word))) return ['envs import FILE']
  if (!id.startsWith('snapshot') || !words.some((word) => SNAPSHOT_VERBS.includes(word))) return []
  return ['envs snapshot NAME LABEL', 'envs snapshots NAME', 'envs snapshots NAME --remove LABEL']
}

/**
 * Known words and flags of podman, Docker, distrobox, toolbox, proot-distro, WSL, LXC and Multipass, and the forms of envs for them.
 * Each is a next step of an error: no word here means anything to envs. A command or a flag of that name, once there is one, takes
 * precedence.
 *
 * A step that removes or stops something is here only for a word that says so.
 */

export type Steps = string | readonly string[]

/** Next steps by the words of a line. */
type Habits = Readonly<Record<string, Steps>>

const HOST_NETWORK = [
  'A port is published for an environment with a network of its own: envs create IMAGE --network private --publish PORT:GUEST',
  'For one that is there: envs set NAME network=private, then envs publish NAME PORT:GUEST',
]
const PACKAGES = 'Packages are those of the environment: envs run NAME apt-get upgrade'
const SHARE = 'Share a folder with one session: envs run --volume SOURCE:TARGET NAME COMMAND'
const NO_SWITCH = 'Each command takes the name of its environment: envs enter NAME'
const NOTHING_MOUNTED = 'Nothing is mounted by envs path NAME, and nothing has to be unmounted.'
const STOP = 'envs stop NAME'
const REMOVE = 'envs rm NAME'

/** Instead of a command: one word, or two. */
const WORDS: Habits = {
  activate: 'envs enter NAME',
  add: 'envs create IMAGE',
  assemble: 'envs create IMAGE',
  attach: 'envs enter NAME',
  'auto-update': PACKAGES,
  backup: 'envs export NAME',
  bash: 'envs enter NAME',
  boot: 'envs start NAME',
  build: [
    'Install what you need, then keep the state: envs snapshot NAME',
    'As an image: envs export NAME --format oci -o FILE',
  ],
  buildx: 'As an image: envs export NAME --format oci -o FILE',
  cat: 'envs run NAME cat FILE',
  chroot: 'envs enter NAME',
  'clear-cache': 'Free disk space: envs prune',
  commit: [
    'To go back to this state: envs snapshot NAME',
    'For other programs, as an image: envs export NAME --format docker -o FILE',
    'In a registry: envs push NAME HOST/REPOSITORY:TAG',
  ],
  compose: ['envs create IMAGE', 'A service that starts with it: envs create IMAGE --init services'],
  'config edit': 'envs config set SETTING VALUE',
  'config show': 'envs config list',
  console: 'envs enter NAME',
  container: ['envs list', 'envs --help'],
  'container list': 'envs list',
  'container ls': 'envs list',
  'container rm': REMOVE,
  'container run': 'envs run NAME COMMAND',
  'container stop': STOP,
  context: 'An environment is of this host and of your account: envs list',
  copy: ['An environment: envs clone NAME NEW', 'Files: envs cp SOURCE TARGET'],
  destroy: REMOVE,
  df: 'envs list',
  du: 'envs list',
  edit: 'envs set NAME KEY=VALUE',
  events: 'envs logs NAME --follow',
  file: 'envs cp SOURCE TARGET',
  generate: 'Start an environment at boot: envs autostart NAME',
  'generate-entry': 'envs shim NAME PROGRAM',
  go: 'envs enter NAME',
  halt: STOP,
  history: ['envs snapshots NAME', 'envs diff NAME'],
  'host-exec': 'Programs in an environment cannot run programs of the host.',
  'image build': 'As an image: envs export NAME --format oci -o FILE',
  'image import': 'envs import FILE',
  'image load': 'envs create docker-archive:FILE',
  'image push': 'envs push NAME HOST/REPOSITORY:TAG',
  'image save': 'envs export NAME --format docker -o FILE',
  'image tag': 'Tags of an image are those of its registry: envs push NAME HOST/REPOSITORY:TAG',
  'init-container': 'envs enter NAME',
  kill: ['envs ps NAME', 'envs run NAME kill PID'],
  kube: 'A service that starts with its environment: envs create IMAGE --init services',
  launch: 'envs create IMAGE --name NAME',
  load: [
    'A file of envs export: envs import FILE',
    'A file of podman save or docker save: envs create docker-archive:FILE',
  ],
  logout: 'Credentials are those of podman and Docker: podman logout REGISTRY, or docker logout REGISTRY',
  machine: 'No virtual machine is needed: envs create IMAGE',
  manifest: 'envs image show IMAGE',
  mount: 'envs path NAME',
  move: 'envs rename NAME NEW',
  mv: 'envs rename NAME NEW',
  network: 'envs create IMAGE --network private',
  pause: 'An environment cannot be paused, but its state can be kept: envs snapshot NAME',
  plugin: 'There are no plugins.',
  pod: 'envs list',
  port: 'envs ports NAME',
  poweroff: STOP,
  pull: 'envs image pull IMAGE',
  purge: REMOVE,
  reboot: 'envs restart NAME',
  resume: 'envs start NAME',
  rmi: 'envs image rm IMAGE',
  save: [
    'For podman load and docker load: envs export NAME --format docker -o FILE',
    'For envs import: envs export NAME -o FILE',
  ],
  search: 'envs image search WORD',
  secret: 'Give a variable to one session: envs run --env KEY=VALUE NAME COMMAND',
  service: 'envs services NAME',
  'set-default': NO_SWITCH,
  'snapshot-create': 'envs snapshot NAME LABEL',
  ssh: 'envs enter NAME',
  stats: 'envs ps',
  status: ['envs list', 'envs show NAME'],
  suspend: 'An environment cannot be paused, but its state can be kept: envs snapshot NAME',
  switch: NO_SWITCH,
  system: 'Free disk space: envs prune',
  'system df': 'envs list',
  'system info': 'envs doctor',
  tag: ['envs snapshot NAME LABEL', 'envs clone NAME NEW'],
  terminate: STOP,
  top: ['envs ps NAME', 'envs run NAME top'],
  umount: NOTHING_MOUNTED,
  uninstall: REMOVE,
  unmount: NOTHING_MOUNTED,
  unpause: 'envs start NAME',
  unregister: REMOVE,
  unshare: 'envs run NAME COMMAND',
  update: PACKAGES,
  upgrade: PACKAGES,
  use: NO_SWITCH,
  version: 'envs --version',
  volume: SHARE,
  wsl: ['envs list', 'envs enter NAME'],
  wait: 'A command ends with its program: envs run NAME COMMAND',
}

/** Before a command, as WSL has them. */
const LEADING: Habits = {
  '--list': 'envs list',
  '-l': 'envs list',
  '--install': 'envs create IMAGE',
  '-d': 'envs enter NAME',
  '--distribution': 'envs enter NAME',
  '--export': 'envs export NAME',
  '--import': 'envs import FILE',
  '--shutdown': STOP,
  '--terminate': STOP,
  '-t': STOP,
  '--unregister': REMOVE,
  '-u': 'envs enter --user USER NAME',
  '--user': 'envs enter --user USER NAME',
  '-e': 'envs run NAME COMMAND',
  '--exec': 'envs run NAME COMMAND',
  '--mount': 'envs run --volume SOURCE:TARGET NAME COMMAND',
  '-s': NO_SWITCH,
  '--set-default': NO_SWITCH,
  '--set-version': 'Environments use the kernel of the host: there is one kind of them.',
  '--status': 'envs doctor',
  '--update': PACKAGES,
  '-v': 'envs --version',
  '-V': 'envs --version',
}

const ONE_COMMAND = 'Run one command: envs run NAME COMMAND'
const RUN = 'The name stands without a flag: envs run NAME COMMAND'
const ENTER = 'The name stands without a flag: envs enter NAME'
const IMAGE = 'The image stands without a flag: envs create IMAGE --name NAME'
const RELEASE = 'The image stands without a flag: envs create DISTRIBUTION:RELEASE'
const TRY = 'An environment that is removed at its end: envs try IMAGE -- COMMAND'
const SHIM = 'Start a program of an environment from the host: envs shim NAME PROGRAM'
const LIST = 'See all environments: envs list --all'
const IMAGES = 'See the images of this host: envs image list'
const JSON_ROWS = 'For other programs, with all properties: --json'
const NAMED = 'Give each environment by its name; these are all: envs list'
const ROOT_INSIDE = 'You are root in an environment without this flag.'
const HOST_NAME = 'The host name of an environment is its name.'
const NO_GPU = 'Devices of graphics cards are not shared with an environment.'
const FOR_A_SESSION = 'An option of a session: envs enter NAME, and envs run NAME COMMAND, have it'
const LIMIT = 'Limits are those of an environment: envs set NAME memory=2G cpus=1.5 processes=500'

const NETWORK_FLAGS: Habits = {
  ...{'-p': HOST_NETWORK, '--publish': HOST_NETWORK, '--net': HOST_NETWORK, '--network': HOST_NETWORK},
}

const LIMIT_FLAGS: Habits = {
  ...{'--memory': LIMIT, '-m': LIMIT, '--cpus': LIMIT, '--pids-limit': LIMIT},
}

const SESSION_FLAGS: Habits = {
  ...NETWORK_FLAGS,
  ...LIMIT_FLAGS,
  '--rm': TRY,
  ...{'--bind': SHARE, '--mount': SHARE, '--shared-tmp': SHARE, '--termux-home': SHARE},
  '--env-file': 'Give each variable: envs run --env KEY=VALUE NAME COMMAND',
  ...{'--root': ROOT_INSIDE, '--privileged': ROOT_INSIDE, '--cap-add': ROOT_INSIDE},
  '--hostname': HOST_NAME,
  ...{'--gpus': NO_GPU, '--nvidia': NO_GPU},
  '--init': 'The first process is a property of an environment: envs set NAME init=systemd',
  '--isolated': 'An environment has no folder of the host unless you share it with --volume.',
  '--fix-low-ports':
    'Ports below 1024 are the administrator’s; a network of its own has them: envs set NAME network=private',
  '--no-workdir': 'A session starts in the home folder; to start elsewhere: envs enter --workdir FOLDER NAME',
  ...{'-d': RELEASE, '--distro': RELEASE, '-r': RELEASE, '--release': RELEASE, '--image': TRY},
}

const ROWS: Habits = {
  ...{'--format': JSON_ROWS, '--filter': JSON_ROWS, '-f': JSON_ROWS},
}

/** By the id of the command. Those that it declares never get here, unless their value is missing or wrong. */
const FLAGS: Readonly<Record<string, Habits>> = {
  run: {
    ...SESSION_FLAGS,
    '-n': RUN,
    '--name': [RUN, 'A new environment with that name: envs create IMAGE --name NAME'],
    '-c': RUN,
    '--container': RUN,
  },
  enter: {
    ...SESSION_FLAGS,
    '-n': ENTER,
    '--name': ENTER,
    '-c': [ENTER, ONE_COMMAND],
    '--container': ENTER,
    '--': ONE_COMMAND,
  },
  try: {...SESSION_FLAGS, '--image': 'The image stands without a flag: envs try IMAGE -- COMMAND'},
  create: {
    ...NETWORK_FLAGS,
    ...LIMIT_FLAGS,
    ...{'-i': IMAGE, '--image': IMAGE},
    ...{'-d': RELEASE, '--distro': RELEASE, '-r': RELEASE, '--release': RELEASE},
    ...{'-t': IMAGE, '--tag': IMAGE, '-it': 'Afterwards: envs enter NAME'},
    '--clone': 'Copy an environment: envs clone NAME NEW',
    ...{'-v': SHARE, '--volume': SHARE, '--mount': SHARE},
    ...{'-e': FOR_A_SESSION, '--env': FOR_A_SESSION, '-u': FOR_A_SESSION, '-w': FOR_A_SESSION},
    '--home':
      'An environment has a home folder of its own. Share one with a session: envs enter --volume SOURCE:TARGET NAME',
    '--additional-packages': 'envs create debian --include PACKAGE,PACKAGE',
    '--init': 'With a value: envs create IMAGE --init systemd',
    ...{'--root': ROOT_INSIDE, '--privileged': ROOT_INSIDE},
    '--rm': TRY,
    '--hostname': HOST_NAME,
    ...{'--nvidia': NO_GPU, '--gpus': NO_GPU},
    '--unshare-all': 'Nothing of the host is shared with an environment but its network.',
    '--pull': 'envs image pull IMAGE',
    ...{'-Y': 'Creating asks no question.', '--yes': 'Creating asks no question.'},
    '--override-alias': 'The name of the new environment: envs create IMAGE --name NAME',
  },
  export: {...{'--app': SHIM, '--bin': SHIM}},
  'image:list': ROWS,
  show: ROWS,
  list: {
    ...ROWS,
    ...{'-c': LIST, '-a': LIST, '--containers': LIST},
    ...{'-i': IMAGES, '--images': IMAGES},
    ...{'--running': JSON_ROWS, '-v': LIST, '-l': LIST},
  },
  ps: {...ROWS, '-a': LIST, '--all': LIST},
  prune: {
    ...{
      '-a': 'Removed environments too: envs prune --removed',
      '--all': 'Removed environments too: envs prune --removed',
    },
    ...{'-f': 'Without the question: envs prune --yes', '--force': 'Without the question: envs prune --yes'},
    '--volumes': 'Folders of the host are never removed.',
  },
  rm: {'-a': NAMED, '--all': NAMED, '-v': 'Folders of the host are never removed.'},
  stop: {
    ...{'-a': NAMED, '--all': NAMED},
    ...{'-t': 'envs stop NAME --timeout 3s', '--time': 'envs stop NAME --timeout 3s'},
  },
}

/** Of any command. */
const COMMON_FLAGS: Habits = {'--root': ROOT_INSIDE}

const SNAPSHOTS = ['envs snapshot NAME LABEL', 'envs snapshots NAME', 'envs snapshots NAME --remove LABEL']

/** Arguments that other tools place in another order, by the id of a command that does not take so many. */
const ARGUMENTS: Habits = {
  create: 'The name is a flag: envs create IMAGE --name NAME',
  enter: ONE_COMMAND,
  shell: ONE_COMMAND,
  export: 'The file is a flag: envs export NAME --output FILE',
  import: 'The name is a flag: envs import FILE --name NAME',
}

/** Verbs of other tools between a command and the name of an environment, by the id of the command. */
const VERBS: Readonly<Record<string, {readonly verbs: RegExp; readonly steps: Steps}>> = {
  snapshot: {verbs: /^(?:create|delete|list|ls|remove|restore|rm)$/, steps: SNAPSHOTS},
  snapshots: {verbs: /^(?:create|delete|list|ls|remove|restore|rm)$/, steps: SNAPSHOTS},
  restore: {verbs: /\.tar\b|\//, steps: 'envs import FILE'},
}

/** Returns all of them. A function, because the build keeps this file apart from programs that start often. */
export function habitTable() {
  return {
    words: WORDS,
    leading: LEADING,
    flags: FLAGS,
    commonFlags: COMMON_FLAGS,
    arguments: ARGUMENTS,
    verbs: VERBS,
  }
}

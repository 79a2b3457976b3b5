import type {ArchiveDistribution} from '../src/apt/context.js'

/** A host to boot: a release of a distribution, with the packages of a usual installation that matter to envs. */
export type HostRelease = {
  readonly name: string
  readonly distribution: ArchiveDistribution
  readonly version: string
  /** Packages besides {@link COMMON_PACKAGES}. */
  readonly packages: readonly string[]
  /** Packages that a scene installs; they lie in /srv/debs. */
  readonly laterPackages: readonly string[]
  /** Lines `SCENE ACCOUNT ENGINE`: what is tried, in this order. hosts/guest/scenes has the scenes. */
  readonly plan: readonly string[]
}

export const COMMON_PACKAGES: readonly string[] = [
  ...['systemd-sysv', 'systemd', 'dbus', 'dbus-user-session', 'libpam-systemd', 'udev', 'kmod', 'passwd'],
  ...[
    'login',
    'iproute2',
    'procps',
    'util-linux',
    'xz-utils',
    'apparmor',
    'bubblewrap',
    'uidmap',
    'perl-base',
  ],
]

const UBUNTU_LATER = ['proot', 'libtalloc2', 'apparmor-profiles']

/** On a kernel that restricts user namespaces, without a profile for bwrap. */
const RESTRICTED: readonly string[] = [
  ...['shipped u auto', 'shipped u bwrap', 'shipped u unshare', 'shipped u proot', 'shipped v auto'],
  ...[
    'own-bwrap u auto',
    'proot u auto',
    'ticket u auto',
    'ticket u unshare',
    'ticket v auto',
    'ticket w auto',
  ],
  ...['policy-changed u auto', 'switch-off u auto'],
]

/** On one with a profile that takes capabilities from what bwrap starts: nearly all works there, and takes its time. */
const WITH_PROFILE: readonly string[] = [
  ...['shipped u auto', 'shipped u unshare', 'shipped v auto', 'own-bwrap u auto', 'ticket u auto'],
  ...['ticket v auto', 'ticket w auto', 'policy-changed u auto', 'switch-off u auto', 'proot-only u auto'],
]

/** On any other; w has no user manager. */
const UNRESTRICTED: readonly string[] = [
  ...['shipped u auto', 'shipped u unshare', 'shipped v auto', 'shipped w auto', 'own-bwrap u auto'],
  ...['namespaces-off u auto', 'proot-only u auto'],
]

const ubuntu = (name: string, version: string, plan: readonly string[]): HostRelease => ({
  name,
  distribution: 'ubuntu',
  version,
  packages: ['linux-image-virtual'],
  laterPackages: UBUNTU_LATER,
  plan,
})

export const RELEASES: readonly HostRelease[] = [
  ubuntu('noble', '24.04', RESTRICTED),
  ubuntu('resolute', '26.04', WITH_PROFILE),
  ubuntu('jammy', '22.04', UNRESTRICTED),
  ubuntu('focal', '20.04', UNRESTRICTED),
  {
    name: 'trixie',
    distribution: 'debian',
    version: '13',
    packages: [
      ...['linux-image-amd64', 'initramfs-tools'],
      ...['nfs-kernel-server', 'nfs-common', 'quota', 'e2fsprogs'],
    ],
    laterPackages: ['proot', 'libtalloc2'],
    plan: [...UNRESTRICTED, 'nfs u auto', 'quota u auto', 'case-folding u auto'],
  },
  {
    name: 'bookworm',
    distribution: 'debian',
    version: '12',
    packages: ['linux-image-amd64', 'initramfs-tools'],
    laterPackages: ['proot', 'libtalloc2'],
    plan: UNRESTRICTED,
  },
]

/** Returns the names of the scenes, in the order in which hosts try them. */
export function sceneNames(): string[] {
  return [...new Set(RELEASES.flatMap(({plan}) => plan.map((line) => line.split(' ')[0] ?? '')))]
}

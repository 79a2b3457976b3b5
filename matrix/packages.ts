import {readFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'

/** Popular packages, and packages with demanding maintainer scripts. */
export const PACKAGES = [
  'openssh-server',
  'postgresql',
  'nginx-light',
  'cron',
  'dbus',
  'systemd',
  'man-db',
  'exim4-daemon-light',
  'mariadb-server',
  'redis-server',
  'rabbitmq-server',
  'cups',
  'avahi-daemon',
  'tcpdump',
  'iputils-ping',
  'sudo',
  'docker.io',
  'openjdk-21-jre-headless',
  'texlive-base',
  'ca-certificates',
  'tzdata',
  'locales',
  'rsyslog',
  'chrony',
  'apache2',
  'samba',
  'libvirt-daemon-system',
  'polkitd',
  'snapd',
  'fuse3',
] as const

export type Package = (typeof PACKAGES)[number]

/** A script of the guest that proves that an installed package works. */
export type Check = {
  /** The claim that status 0 of the script proves. */
  readonly claim: string
  /** For bash; `$PORT` is a free port of the host, whose network is shared, and `$IDENTITY` the environment's. */
  readonly script: string
}

/** Each with its script in `checks/PACKAGE.sh`. */
const CLAIMS = new Map<Package, string>([
  ['openssh-server', 'a user made inside logs in with ssh'],
  ['postgresql', 'the server answers SQL'],
  ['nginx-light', 'the server answers with HTTP 200'],
  ['redis-server', 'the server answers PING'],
  ['cron', 'a job of a crontab runs'],
])

/** Returns the check of a package, or undefined if only its installation is tried. */
export async function checkOf(name: Package): Promise<Check | undefined> {
  const claim = CLAIMS.get(name)
  if (claim === undefined) return undefined
  const script = await readFile(fileURLToPath(new URL(`checks/${name}.sh`, import.meta.url)), 'utf8')
  return {claim, script}
}

export function isPackage(word: string): word is Package {
  return PACKAGES.some((name) => name === word)
}

import {readFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'

/** What is tried: the packages people ask for, and those whose maintainer scripts ask most of an environment. */
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

/** That a package works once it is installed, shown by a script of the guest. */
export type Check = {
  /** What has been seen when the script ends with status 0. */
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

/** The check of a package, or undefined where installing it is all that is tried. */
export async function checkOf(name: Package): Promise<Check | undefined> {
  const claim = CLAIMS.get(name)
  if (claim === undefined) return undefined
  const script = await readFile(fileURLToPath(new URL(`checks/${name}.sh`, import.meta.url)), 'utf8')
  return {claim, script}
}

export function isPackage(word: string): word is Package {
  return PACKAGES.some((name) => name === word)
}

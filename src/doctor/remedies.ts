import type {Check} from '../host/check.js'

/** Packages of Debian that the doctor requests, and their names in Fedora and its derivatives. */
const FEDORA_NAMES: Readonly<Record<string, string>> = {
  'perl-base': 'perl-interpreter',
  uidmap: 'shadow-utils-subid',
}

const INSTALLERS: Readonly<Record<string, string>> = {
  debian: 'apt-get install',
  ubuntu: 'apt-get install',
  linuxmint: 'apt-get install',
  raspbian: 'apt-get install',
  fedora: 'dnf install',
  rhel: 'dnf install',
  centos: 'dnf install',
  rocky: 'dnf install',
  almalinux: 'dnf install',
}

/**
 * Returns the command that installs a package on a distribution.
 *
 * @param distribution - ID of os-release(5). For an unknown one, there is no command.
 */
export function installSteps(distribution: string | undefined, debianPackage: string): string[] {
  const installer = INSTALLERS[distribution ?? '']
  if (installer === undefined) return [`# install what Debian has as the package ${debianPackage}`]
  const name = installer.startsWith('dnf') ? (FEDORA_NAMES[debianPackage] ?? debianPackage) : debianPackage
  return [`${installer} ${name}`]
}

/** A text for the administrator of the host. */
export type Ticket = {
  readonly requests: readonly {
    /** Id of the check. */
    readonly check: string
    /** The findings. */
    readonly evidence: string
    /** The reason for the request. */
    readonly purpose: string
    readonly steps: readonly string[]
    readonly opens: string
  }[]
}

/** Returns the findings that an administrator can solve; undefined if there are none. */
export function ticketOf(checks: readonly Check[]): Ticket | undefined {
  const requests = checks.flatMap(({id, evidence, cost, request}) =>
    request === null ? [] : [{check: id, evidence, purpose: cost ?? '', ...request}],
  )
  return requests.length === 0 ? undefined : {requests}
}

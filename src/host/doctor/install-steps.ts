/** Packages of Debian that the doctor asks for, and what Fedora and its kin call them. */
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
 * The command that installs a package on a distribution.
 *
 * @param distribution - ID of os-release(5). Of one that is not known, no command is made up.
 */
export function installSteps(distribution: string | undefined, debianPackage: string): string[] {
  const installer = INSTALLERS[distribution ?? '']
  if (installer === undefined) return [`# install what Debian has as the package ${debianPackage}`]
  const name = installer.startsWith('dnf') ? (FEDORA_NAMES[debianPackage] ?? debianPackage) : debianPackage
  return [`${installer} ${name}`]
}

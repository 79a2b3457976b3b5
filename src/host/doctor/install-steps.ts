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

import {unknownArchitectureError} from './errors.js'

/** dpkg's names. @see dpkg-architecture(1) */
export const DEB_ARCHITECTURES = [
  'amd64',
  'arm64',
  'armhf',
  'i386',
  'loong64',
  'ppc64el',
  'riscv64',
  's390x',
] as const

export type DebArchitecture = (typeof DEB_ARCHITECTURES)[number]

const BY_NODE: Readonly<Partial<Record<NodeJS.Architecture | 'loong64', DebArchitecture>>> = {
  arm: 'armhf',
  arm64: 'arm64',
  ia32: 'i386',
  loong64: 'loong64',
  ppc64: 'ppc64el',
  riscv64: 'riscv64',
  s390x: 's390x',
  x64: 'amd64',
}

/** dpkg's name of the processor Node runs on. */
export function debArchitecture(architecture: string): DebArchitecture {
  const known = BY_NODE[architecture as keyof typeof BY_NODE]
  if (known === undefined) throw unknownArchitectureError({architecture})
  return known
}

/** The architecture of that name, dpkg's; undefined for one that is not known. */
export function namedArchitecture(name: string): DebArchitecture | undefined {
  return DEB_ARCHITECTURES.find((known) => known === name)
}

/** The kernels that run programs of another architecture too. That of arm64 may, or may not, those of armhf. */
const ALSO_RUN: Readonly<Partial<Record<DebArchitecture, DebArchitecture>>> = {amd64: 'i386'}

/** Whether a host runs the programs of an architecture as they are. */
export function runsAsItIs(host: DebArchitecture, guest: DebArchitecture): boolean {
  return host === guest || ALSO_RUN[host] === guest
}

const QEMU_NAMES: Readonly<Record<DebArchitecture, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  armhf: 'arm',
  i386: 'i386',
  loong64: 'loongarch64',
  ppc64el: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
}

/** What QEMU's program for an architecture is called: `qemu-aarch64`. */
export function qemuProgram(architecture: DebArchitecture): string {
  return `qemu-${QEMU_NAMES[architecture]}`
}

import {EnvsError, ExitCode} from '../errors.js'

/** dpkg's names. @see dpkg-architecture(1) */
export type DebArchitecture =
  | 'amd64'
  | 'arm64'
  | 'armhf'
  | 'i386'
  | 'loong64'
  | 'ppc64el'
  | 'riscv64'
  | 's390x'

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

class UnknownArchitectureError extends EnvsError {
  constructor(architecture: string) {
    super(`envs does not know the processor architecture ${architecture}.`, {
      code: 'ENVS_UNKNOWN_ARCHITECTURE',
      exitCode: ExitCode.host,
    })
  }
}

/** dpkg's name of the processor Node runs on. */
export function debArchitecture(architecture: string): DebArchitecture {
  const known = BY_NODE[architecture as keyof typeof BY_NODE]
  if (known === undefined) throw new UnknownArchitectureError(architecture)
  return known
}

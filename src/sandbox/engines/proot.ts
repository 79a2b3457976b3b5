import type {Volume} from '../session-arguments.js'

export type ProotTree = {
  /** Absolute path of proot(1). */
  readonly program: string
  /** The guest's `/`, on the host. */
  readonly root: string
  /** What it sees beside it, in the order in which one may cover another. */
  readonly binds: readonly Omit<Volume, 'access'>[]
}

/** File systems of the kernel, which are the host's own. */
const KERNEL_FOLDERS = ['/dev', '/proc', '/sys'] as const

/**
 * Words before a command that sees a tree as its `/`, by a tracer that changes paths and ids in its system calls.
 *
 * @param ids - `UID:GID` that it believes to have.
 * @see proot(1): --verbose=-1 has it tell errors alone
 */
export function prootWords({program, root, binds}: ProotTree, ids: string): string[] {
  return [
    ...[program, '--verbose=-1', ids === '0:0' ? '--root-id' : `--change-id=${ids}`, `--rootfs=${root}`],
    ...KERNEL_FOLDERS.map((folder) => `--bind=${folder}`),
    ...binds.map(({source, target}) => `--bind=${source}:${target}`),
    '--cwd=/',
  ]
}

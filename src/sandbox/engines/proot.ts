import type {Mount} from '../mounts.js'
import type {Volume} from '../session-arguments.js'
import type {SandboxSpec} from '../spec.js'

export type ProotTree = {
  /** Absolute path of proot(1). */
  readonly program: string
  /** `root` is a folder of the host. */
  readonly spec: Pick<SandboxSpec, 'root' | 'mounts'>
  /** What one session sees beside it; none is read-only. */
  readonly volumes: readonly Volume[]
}

/**
 * Words before a command that sees a tree as its `/`, by a tracer that changes paths and ids in its system calls.
 *
 * @param ids - `UID:GID` that it believes to have.
 * @see proot(1): --verbose=-1 has it tell errors alone
 */
export function prootWords({program, spec: {root, mounts}, volumes}: ProotTree, ids: string): string[] {
  if (root.kind !== 'bind') throw new Error('proot can show no layers')
  return [
    ...[program, '--verbose=-1', ids === '0:0' ? '--root-id' : `--change-id=${ids}`, `--rootfs=${root.from}`],
    ...mounts.flatMap(bindOf),
    ...volumes.map(({source, target}) => `--bind=${source}:${target}`),
    '--cwd=/',
  ]
}

/** A file system of the kernel is the host's own; what covers a part of one has no effect. */
function bindOf(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return [mount.from === mount.at ? `--bind=${mount.at}` : `--bind=${mount.from}:${mount.at}`]
    case 'dev':
    case 'proc':
      return [`--bind=${mount.at}`]
    case 'tmpfs':
    case 'mqueue':
    case 'empty':
    case 'overlay':
      return []
  }
}

import type {Identity} from '../ids/identity.js'
import type {Mount} from '../mounts.js'

/** Numbers of the descriptors that an anchor inherits; the holder in templates/guest/holder.sh knows them too. */
export const AnchorFd = {
  info: 3,
  ready: 4,
  hold: 5,
  liveness: 6,
  options: 7,
  filter: 8,
  userNamespace: 9,
} as const

export const GUEST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type AnchorOptions = {
  readonly hostname: string
  readonly identity: Identity
  readonly mounts: readonly Mount[]
  /** Started by root with a say over mounts: the guest gets a second user namespace, without one. */
  readonly isMountingRoot: boolean
}

/**
 * Options for bwrap(1) that start an environment's first process.
 *
 * They reach bwrap through `--args`: its own list is what `ps` in the guest shows of pid 1. In `mapped` the user
 * namespace is there already and bwrap is its root; in `emulated` bwrap makes one with the caller as its only id,
 * and must be told to keep the capabilities, or dpkg can't write a 0440 file.
 * For root, bwrap mounts as root and enters the namespace it is handed last.
 */
export function anchorOptions({hostname, identity, mounts, isMountingRoot}: AnchorOptions): string[] {
  return [
    ...['--info-fd', String(AnchorFd.info), '--sync-fd', String(AnchorFd.liveness)],
    ...['--seccomp', String(AnchorFd.filter)],
    ...userNamespaceOptions(identity, {isMountingRoot}),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', hostname],
    ...mounts.flatMap(mountOptions),
    ...['--chdir', '/', '--clearenv', '--setenv', 'PATH', GUEST_PATH],
  ]
}

/** The command line that {@link anchorOptions} belong to: `holder` is the text of a shell script. */
export function anchorCommand({
  bwrap,
  prefix,
  holder,
}: {
  bwrap: string
  prefix: readonly string[]
  holder: string
}): string[] {
  return [...prefix, bwrap, '--args', String(AnchorFd.options), '--', '/bin/sh', '-c', holder, 'envs-holder']
}

function userNamespaceOptions(identity: Identity, {isMountingRoot}: {isMountingRoot: boolean}): string[] {
  if (isMountingRoot) return ['--userns2', String(AnchorFd.userNamespace), '--cap-add', 'ALL']
  return identity === 'emulated' ? ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'] : []
}

/** A mount as bwrap(1) is told of it. */
export function mountOptions(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return [
        `--${mount.access === 'ro' ? 'ro-' : ''}bind${mount.ifMissing === 'skip' ? '-try' : ''}`,
        mount.from,
        mount.at,
      ]
    case 'overlay':
      return [
        ...mount.lowers.flatMap((lower) => ['--overlay-src', lower]),
        ...['--overlay', mount.upper, mount.work, mount.at],
      ]
    case 'tmpfs':
    case 'proc':
    case 'dev':
    case 'mqueue':
      return [`--${mount.kind}`, mount.at]
  }
}

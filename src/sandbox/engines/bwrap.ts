import type {Identity} from '../ids/identity.js'
import type {Mount} from '../mounts.js'

/** Numbers of the descriptors that an anchor inherits; the holder in templates/guest/holder.sh knows them too. */
export const AnchorFd = {info: 3, ready: 4, hold: 5, liveness: 6, options: 7, filter: 8} as const

export const GUEST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type AnchorOptions = {
  readonly hostname: string
  readonly identity: Identity
  readonly mounts: readonly Mount[]
}

/**
 * Options for bwrap(1) that start an environment's first process.
 *
 * They reach bwrap through `--args`: its own list is what `ps` in the guest shows of pid 1. In `mapped` the user
 * namespace is there already and bwrap is its root; in `emulated` bwrap makes one with the caller as its only id,
 * and must be told to keep the capabilities, or dpkg can't write a 0440 file.
 */
export function anchorOptions({hostname, identity, mounts}: AnchorOptions): string[] {
  return [
    ...['--info-fd', String(AnchorFd.info), '--sync-fd', String(AnchorFd.liveness)],
    ...['--seccomp', String(AnchorFd.filter)],
    ...(identity === 'emulated' ? ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'] : []),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', hostname],
    ...mounts.flatMap(mountOption),
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

function mountOption(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return [mount.access === 'ro' ? '--ro-bind' : '--bind', mount.from, mount.at]
    case 'tmpfs':
    case 'proc':
    case 'dev':
    case 'mqueue':
      return [`--${mount.kind}`, mount.at]
  }
}

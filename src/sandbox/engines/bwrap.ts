import {templateText} from '../../host/paths.js'
import {GUEST_PATH} from '../constants.js'
import type {Mount} from '../mounts.js'
import type {SandboxSpec} from '../spec.js'
import {type AnchorEngine, AnchorFd, enginePrefix, type SecondNamespaceLauncher} from './engine.js'

/** bubblewrap. @param program - Its absolute path. */
export function bwrapEngine(program: string, secondNamespace: SecondNamespaceLauncher): AnchorEngine {
  return {
    name: 'bwrap',
    command: async (spec, holder) => [
      ...enginePrefix(spec, secondNamespace),
      ...[program, '--args', String(AnchorFd.options), '--'],
      ...['/bin/sh', '-c', await templateText('guest/init.sh'), 'envs-init', holder],
    ],
    options: bwrapOptions,
  }
}

/**
 * Options for bwrap(1) that start an environment's first process.
 *
 * Where the user namespace is there already, bwrap is its root; else it makes one with the caller as its only id, and
 * must be told to keep the capabilities, or dpkg can't write a 0440 file. A namespace that it is handed is entered last.
 */
export function bwrapOptions({hostname, network, root, mounts, userNamespace}: SandboxSpec): string[] {
  return [
    // Not as its child: bwrap as pid 1 would be a file of the host within reach of the guest's root, by /proc/1/exe.
    ...['--info-fd', String(AnchorFd.info), '--as-pid-1'],
    ...['--seccomp', String(AnchorFd.filter)],
    ...userNamespaceOptions(userNamespace),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', hostname],
    ...(network === 'own' ? ['--unshare-net'] : []),
    ...[root, ...mounts].flatMap(mountOptions),
    // Nothing else is in its environment: --clearenv is not known to bwrap before 0.5.
    ...['--chdir', '/', '--setenv', 'PATH', GUEST_PATH],
  ]
}

function userNamespaceOptions({guest, prefix}: SandboxSpec['userNamespace']): string[] {
  if (guest !== 'only') return ['--userns2', String(AnchorFd.userNamespace), '--cap-add', 'ALL']
  return prefix.length > 0 ? [] : ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL']
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
    case 'empty':
      return ['--tmpfs', mount.at, '--remount-ro', mount.at]
    case 'tmpfs':
    case 'proc':
    case 'dev':
    case 'mqueue':
      return [`--${mount.kind}`, mount.at]
  }
}

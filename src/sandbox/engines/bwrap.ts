import {capabilityNumbers} from '../confinement/capabilities.js'
import {GUEST_PATH} from '../constants.js'
import type {Mount} from '../mounts.js'
import type {SandboxSpec} from '../spec.js'
import {
  type AnchorEngine,
  AnchorFd,
  enginePrefix,
  firstProcess,
  type SecondNamespaceLauncher,
} from './engine.js'

/** Returns the engine that runs bubblewrap. @param program - Absolute path of bwrap(1). */
export function bwrapEngine(program: string, secondNamespace: SecondNamespaceLauncher): AnchorEngine {
  return {
    name: 'bwrap',
    leavesMonitor: true,
    command: async (spec, holder) => [
      ...enginePrefix(spec, secondNamespace),
      ...[program, '--args', String(AnchorFd.options), '--'],
      ...(await firstProcess(spec, holder)),
    ],
    options: bwrapOptions,
  }
}

/**
 * Returns the options for bwrap(1) that start an environment's first process.
 *
 * In an existing user namespace bwrap is root. Otherwise bwrap makes one with the caller as its only id, and needs an option to
 * keep the capabilities: without them dpkg can't write a file with mode 0440. bwrap enters the namespace of --userns2 last.
 */
export function bwrapOptions({
  hostname,
  network,
  root,
  mounts,
  userNamespace,
  capabilities,
  isRootReadOnly,
}: SandboxSpec): string[] {
  return [
    // The guest's program replaces bwrap as pid 1: otherwise the guest's root could reach a file of the host as /proc/1/exe.
    ...['--info-fd', String(AnchorFd.info), '--as-pid-1'],
    ...['--seccomp', String(AnchorFd.filter)],
    ...userNamespaceOptions(userNamespace),
    // By number: libcap of an older host does not know all names.
    ...(capabilities === undefined
      ? []
      : ['ALL', ...capabilityNumbers(capabilities)].flatMap((each) => [
          each === 'ALL' ? '--cap-drop' : '--cap-add',
          String(each),
        ])),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', hostname],
    ...(network === 'own' ? ['--unshare-net'] : []),
    ...[root, ...mounts].flatMap(mountOptions),
    ...(isRootReadOnly === true ? ['--remount-ro', '/'] : []),
    // envs starts bwrap with an empty environment: bwrap before 0.5 has no --clearenv.
    ...['--chdir', '/', '--setenv', 'PATH', GUEST_PATH],
  ]
}

function userNamespaceOptions({guest, prefix}: SandboxSpec['userNamespace']): string[] {
  if (guest !== 'only') return ['--userns2', String(AnchorFd.userNamespace), '--cap-add', 'ALL']
  return prefix.length > 0 ? [] : ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL']
}

/** Returns the options of bwrap(1) for a mount. */
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
    case 'folder':
      return ['--dir', mount.at]
    case 'tmpfs':
    case 'proc':
    case 'dev':
    case 'mqueue':
      return [`--${mount.kind}`, mount.at]
  }
}

import {constants} from 'node:fs'
import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {capabilityNumbers} from '../confinement/capabilities.js'
import {bootWords, keeperNeeds, keeperWords} from '../init/boot.js'
import type {Mount} from '../mounts.js'
import type {SandboxSpec} from '../spec.js'
import {type AnchorEngine, enginePrefix, firstProcess, type SecondNamespaceLauncher} from './engine.js'
import {overlayOptions} from './overlay.js'

/**
 * Returns the engine that needs no program but Perl: templates/host/anchor.pl makes the system calls.
 *
 * @param launcher - Argv prefix of that program.
 */
export function unshareEngine({
  launcher,
  keeper,
  secondNamespace,
}: {
  launcher: readonly string[]
  /** Argv prefix of templates/host/boot.pl. */
  keeper: readonly string[]
  secondNamespace: SecondNamespaceLauncher
}): AnchorEngine {
  return {
    name: 'unshare',
    leavesMonitor: false,
    command: async (spec, holder) => [
      ...(spec.boot?.cgroups.kind === 'real' ? spec.boot.cgroups.scope : []),
      ...enginePrefix(spec, secondNamespace),
      ...(spec.boot === undefined
        ? []
        : keeperWords(keeper, spec.boot, {
            architecture: spec.architecture,
            guestNamespace: spec.userNamespace.guest,
            limits: spec.limits.planned,
          })),
      ...[...launcher, numbers(spec.architecture)],
      ...(await firstProcess(spec, holder)),
    ],
    options: unshareOptions,
  }
}

/** Returns the words that templates/host/anchor.pl reads as its options. */
export function unshareOptions(
  {
    hostname,
    network,
    root,
    mounts,
    userNamespace,
    architecture,
    boot,
    capabilities,
    isRootReadOnly,
  }: SandboxSpec,
  stage: string,
): string[] {
  return [
    ...['stage', stage, 'hostname', hostname],
    ...(network === 'own' ? ['own-network'] : []),
    ...(userNamespace.guest === 'only' ? [] : ['second-namespace']),
    ...(capabilities === undefined ? [] : ['capabilities', capabilityNumbers(capabilities).join(',')]),
    ...(boot === undefined ? [] : keeperNeeds(boot.cgroups.kind, architecture)),
    ...mountWords(root),
    ...(boot === undefined ? [] : bootWords(boot, mountWords)),
    ...mounts.flatMap(mountWords),
    ...(isRootReadOnly === true ? ['read-only-root'] : []),
    // Marks the list as complete: this process may be killed while it writes. The keeper of a guest that boots adds the last words.
    boot === undefined ? 'end' : 'keeper-adds',
  ]
}

function numbers(architecture: DebArchitecture): string {
  const calls = systemCalls(architecture)
  return [
    ...[
      calls.prctl,
      calls.setns,
      calls.unshare,
      calls.mount,
      calls.umount2,
      calls.pivotRoot,
      calls.sethostname,
    ],
    ...[constants.O_DIRECTORY, constants.O_NOFOLLOW],
  ].join(',')
}

function mountWords(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return ['bind', mount.from, mount.at, mount.access, mount.ifMissing ?? 'need']
    case 'overlay': {
      const {folder, options} = overlayOptions(mount)
      return ['overlay', folder, options, mount.at]
    }
    case 'folder':
      return ['folder', mount.at, '0755']
    case 'empty':
    case 'tmpfs':
    case 'proc':
    case 'dev':
    case 'mqueue':
      return [mount.kind, mount.at]
  }
}

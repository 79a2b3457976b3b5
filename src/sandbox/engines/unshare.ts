import {constants} from 'node:fs'
import {type DebArchitecture, systemCalls} from '../../host/arch.js'
import {templateText} from '../../host/paths.js'
import type {Mount} from '../mounts.js'
import type {SandboxSpec} from '../spec.js'
import {type AnchorEngine, enginePrefix, type SecondNamespaceLauncher} from './engine.js'
import {overlayOptions} from './overlay.js'

/**
 * System calls alone, made by templates/host/anchor.pl.
 *
 * @param launcher - Words that start it.
 */
export function unshareEngine({
  launcher,
  secondNamespace,
}: {
  launcher: readonly string[]
  secondNamespace: SecondNamespaceLauncher
}): AnchorEngine {
  return {
    name: 'unshare',
    command: async (spec, holder) => [
      ...enginePrefix(spec, secondNamespace),
      ...[...launcher, numbers(spec.architecture)],
      ...['/bin/sh', '-c', await templateText('guest/init.sh'), 'envs-init', holder],
    ],
    options: unshareOptions,
  }
}

/** What templates/host/anchor.pl is told, word for word. */
export function unshareOptions(
  {hostname, network, root, mounts, userNamespace}: SandboxSpec,
  stage: string,
): string[] {
  return [
    ...['stage', stage, 'hostname', hostname],
    ...(network === 'own' ? ['own-network'] : []),
    ...(userNamespace.guest === 'only' ? [] : ['second-namespace']),
    ...[root, ...mounts].flatMap(mountWords),
    // Whoever says this may be killed in the middle of it.
    'end',
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
    case 'empty':
    case 'tmpfs':
    case 'proc':
    case 'dev':
    case 'mqueue':
      return [mount.kind, mount.at]
  }
}

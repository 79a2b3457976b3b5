import {constants} from 'node:fs'
import type {DebArchitecture} from '../../host/architecture.js'
import {templateText} from '../../host/paths.js'
import {systemCalls} from '../../host/system-calls.js'
import type {Mount} from '../mounts.js'
import type {AnchorEngine, AnchorOptions} from './engine.js'
import {overlayOptions} from './layers-first.js'

/**
 * System calls alone, made by templates/host/anchor.pl.
 *
 * @param launcher - Words that start it.
 */
export function unshareEngine({
  launcher,
  architecture,
}: {
  launcher: readonly string[]
  architecture: DebArchitecture
}): AnchorEngine {
  return {
    name: 'unshare',
    command: async (holder) => [
      ...[...launcher, numbers(architecture)],
      ...['/bin/sh', '-c', await templateText('guest/init.sh'), 'envs-init', holder],
    ],
    options: unshareOptions,
  }
}

/** What templates/host/anchor.pl is told, word for word. */
export function unshareOptions({
  hostname,
  mounts,
  guestNamespace,
  stage,
}: Omit<AnchorOptions, 'namespacePrefix'>): string[] {
  return [
    ...['stage', stage, 'hostname', hostname],
    ...(guestNamespace === 'only' ? [] : ['second-namespace']),
    ...mounts.flatMap(mountWords),
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

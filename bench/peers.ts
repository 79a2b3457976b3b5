import {findProgram} from '../src/host/host.js'
import type {Bench} from './invocation.js'
import type {Absence, Contender} from './measure.js'
import {openPodman, type Podman} from './podman.js'
import {fixed} from './startup.js'

/** The host's own tools that run `true` in a tree or in a container of the same rootfs. */
export type Peers = {
  readonly contenders: readonly Contender[]
  readonly absent: readonly Absence[]
  /** What podman has to be told to run here, as a sentence; nothing where it does not. */
  readonly note: string
  close(): Promise<void>
}

/** What every other one is divided by. */
export const REFERENCE = 'raw bwrap'

/** What would have to be made by root, or fetched, before it could run once. */
const NOT_TRIED: Readonly<Record<string, string>> = {
  'distrobox enter': 'its first entry installs packages from the network, for minutes',
  schroot: 'root must have configured the tree for it in /etc/schroot',
}

/** ch-run does not start without it. */
const VARIABLES = {USER: 'root'} as const

/** The program comes first. */
function treeCommands(root: string): Readonly<Record<string, readonly string[]>> {
  const bwrap = rawBwrap(root)
  const unshare = ['--pid', '--fork', '--mount', '--mount-proc', '--root', root]
  return {
    [REFERENCE]: [...bwrap, 'true'],
    'raw bwrap, bash -l': [...bwrap, 'bash', '-l'],
    unshare: ['unshare', '--user', '--map-root-user', ...unshare, 'true'],
    'unshare, with a range of ids': [
      ...['unshare', '--user', '--map-auto', '--map-root-user', ...unshare],
      'true',
    ],
    'proot -0': ['proot', '-0', '-r', root, '-w', '/', 'true'],
    'ch-run': ['ch-run', root, '--', 'true'],
  }
}

/** Enters a tree as its root; the command is to follow. */
export function rawBwrap(root: string): readonly string[] {
  const identity = ['--unshare-all', '--share-net', '--uid', '0', '--gid', '0']
  return ['bwrap', ...identity, '--bind', root, '/', '--dev', '/dev', '--proc', '/proc']
}

/**
 * @param root - A plain tree of the rootfs, which they enter as it is.
 * @param rootfs - Its archive, for what keeps images of its own.
 */
export async function openPeers({
  root,
  rootfs,
  bench,
}: {
  root: string
  rootfs: string
  bench: Bench
}): Promise<Peers> {
  const isThere = (program = '') => findProgram(program, bench.environment['PATH'] ?? '') !== undefined
  const commands = Object.entries(treeCommands(root))
  const podman = await openPodman(rootfs, bench)
  const absent = commands
    .filter(([, [program]]) => !isThere(program))
    .map(([name, [program]]) => ({name, reason: `${program} is not installed`}))
  const notTried = Object.entries(NOT_TRIED).map(([name, reason]) => {
    const [program] = name.split(' ')
    return {name, reason: isThere(program) ? reason : `${program} is not installed`}
  })
  return {
    contenders: [
      ...commands
        .filter(([, [program]]) => isThere(program))
        .map(([name, argv]) => fixed(name, 'peer', {argv, variables: VARIABLES})),
      ...('reason' in podman ? [] : containers(podman)),
    ],
    absent: [...absent, ...('reason' in podman ? [podman] : []), ...notTried],
    note: 'ways' in podman ? ` podman is given ${podman.ways}.` : '',
    close: async () => {
      if ('close' in podman) await podman.close()
    },
  }
}

function containers(podman: Podman): Contender[] {
  return [
    fixed('podman run', 'peer', podman.run('true')),
    fixed('podman exec, container up', 'peer', podman.exec('true')),
  ]
}

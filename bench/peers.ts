import {findProgram} from '../src/host/host.js'
import {openDistrobox} from './distrobox.js'
import type {Bench} from './invocation.js'
import type {Absence, Contender} from './measure.js'
import {openPodman} from './podman.js'
import {openSchroot} from './schroot.js'
import {SLEEP} from './session-memory.js'
import {fixed} from './startup.js'

/** The host's own tools that run `true` in a tree or in a container of the same rootfs. */
export type Peers = {
  readonly contenders: readonly Contender[]
  readonly absent: readonly Absence[]
  /** The options that podman needs here, as a sentence; empty if podman does not work. */
  readonly note: string
  /** The same peers with a command that sleeps. */
  readonly asleep: readonly Contender[]
  close(): Promise<void>
}

/** The contender that the others are divided by. */
export const REFERENCE = 'raw bwrap'

/** ch-run does not start without it. */
const VARIABLES = {USER: 'root'} as const

/** Argv prefixes that enter a tree; the command follows. */
function treeEntries(root: string): Readonly<Record<string, readonly string[]>> {
  const unshare = ['--pid', '--fork', '--mount', '--mount-proc', '--root', root]
  return {
    [REFERENCE]: rawBwrap(root),
    unshare: ['unshare', '--user', '--map-root-user', ...unshare],
    'unshare, with a range of ids': [...['unshare', '--user', '--map-auto', '--map-root-user'], ...unshare],
    'proot -0': ['proot', '-0', '-r', root, '-w', '/'],
    'ch-run': ['ch-run', root, '--'],
  }
}

/** Argv prefix that enters a tree as its root; the command follows. */
function rawBwrap(root: string): readonly string[] {
  const identity = ['--unshare-all', '--share-net', '--uid', '0', '--gid', '0']
  return ['bwrap', ...identity, '--bind', root, '/', '--dev', '/dev', '--proc', '/proc']
}

/**
 * @param root - A plain tree of the rootfs, which they enter.
 * @param rootfs - Its tarball, for tools with their own images.
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
  const entries = Object.entries(treeEntries(root))
  const present = entries.filter(([, [program]]) => isThere(program))
  const absent = entries
    .filter(([, [program]]) => !isThere(program))
    .map(([name, [program]]) => ({name, reason: `${program} is not installed`}))
  const inTree = ([name, argv]: (typeof entries)[number], ...command: string[]) =>
    fixed(name, 'peer', {argv: [...argv, ...command], variables: VARIABLES})
  const podman = await openPodman(rootfs, bench)
  const distrobox = await openDistrobox(podman, bench)
  // Last: if another one throws, its configuration would stay in /etc.
  const schroot = await openSchroot(root, bench)
  return {
    contenders: [
      ...present.map((entry) => inTree(entry, 'true')),
      ...present
        .filter(([name]) => name === REFERENCE)
        .map(([name, argv]) => inTree([`${name}, bash -l`, argv], 'bash', '-l')),
      ...('reason' in schroot ? [] : [fixed('schroot', 'peer', schroot.run('true'))]),
      ...('reason' in podman
        ? []
        : [
            fixed('podman run', 'peer', podman.run('true')),
            fixed('podman exec, container up', 'peer', podman.exec('true')),
          ]),
      ...('reason' in distrobox
        ? []
        : [fixed('distrobox enter, container up', 'peer', distrobox.enter('true'))]),
    ],
    absent: [...absent, ...[schroot, podman, distrobox].filter((peer) => 'reason' in peer)],
    asleep: [
      ...present.map((entry) => inTree(entry, ...SLEEP)),
      ...('reason' in podman ? [] : [fixed('podman exec, container up', 'peer', podman.exec(...SLEEP))]),
    ],
    note: 'ways' in podman ? ` podman is given ${podman.ways}.` : '',
    async close() {
      for (const peer of [distrobox, podman, schroot]) if ('close' in peer) await peer.close()
    },
  }
}

import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError, makeFolder, runAsUser} from './invocation.js'
import type {Absence} from './measure.js'

/** podman with a store of this run's own and a container that is up. */
export type Podman = {
  /** Options that it takes here for a container to run at all; in words, for the report. */
  readonly ways: string
  /** Calls, to be timed: a container of its own, and one more program in the one that is up. */
  run(command: string): Invocation
  exec(command: string): Invocation
  /** Ends its container and removes all that it stored. */
  close(): Promise<void>
}

/** From what comes with it to what a host with two generations of control groups, or without privileges, needs. */
const WAYS: readonly (readonly string[])[] = [
  [],
  ['--cgroup-manager', 'cgroupfs'],
  ['--runtime', 'runc', '--cgroup-manager', 'cgroupfs'],
  ['--runtime', 'crun', '--cgroup-manager', 'cgroupfs'],
]
const IMAGE = 'localhost/envs-bench'
const CONTAINER = 'envs-bench'
/** As environments have it, and it needs no program that makes a network. */
const NETWORK = '--network=host'

/** Else every call of a host with the older control groups warns of them first. */
const VARIABLES = {PODMAN_IGNORE_CGROUPSV1_WARNING: '1'} as const

/**
 * Gives podman the same rootfs and takes the first way in which it runs anything.
 *
 * @returns The reason, where it does not.
 */
export async function openPodman(rootfs: string, bench: Bench): Promise<Podman | Absence> {
  const name = 'podman'
  if (findProgram(name, bench.environment['PATH'] ?? '') === undefined) {
    return {name, reason: 'podman is not installed'}
  }
  const folder = join(bench.folder, 'podman')
  await makeFolder(folder, bench)
  const base = ['podman', ...ownFolders(folder)]
  const quiet = {...bench, environment: {...bench.environment, ...VARIABLES}}
  const close = () => clear(base, folder, quiet)
  try {
    await runAsUser([...base, 'import', '--quiet', rootfs, IMAGE], quiet)
    const way = await firstThatRuns(base, quiet)
    const argv = [...base, ...way]
    const isolation = ['--name', CONTAINER, NETWORK, IMAGE]
    await runAsUser([...argv, 'run', '--detach', ...isolation, 'sleep', 'infinity'], quiet)
    return {
      ways: [...way, NETWORK].join(' '),
      run: (command) => ({argv: [...argv, 'run', '--rm', NETWORK, IMAGE, command], variables: VARIABLES}),
      exec: (command) => ({argv: [...argv, 'exec', CONTAINER, command], variables: VARIABLES}),
      close,
    }
  } catch (error) {
    await close()
    if (!(error instanceof InvocationFailedError)) throw error
    return {name, reason: error.message.split('\n').at(-1) ?? error.message}
  }
}

/** Nothing of the caller's own containers is seen or touched. */
function ownFolders(folder: string): string[] {
  return ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--tmpdir', join(folder, 'tmp')]
}

/** @throws {InvocationFailedError} What happens with nothing asked for, when nothing helps. */
async function firstThatRuns(base: readonly string[], bench: Bench): Promise<readonly string[]> {
  let failure: unknown
  for (const way of WAYS) {
    try {
      await runAsUser([...base, ...way, 'run', '--rm', NETWORK, IMAGE, 'true'], bench)
      return way
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** Step by step, each also where the one before had nothing to do: what stays, the removal of the folder will tell. */
async function clear(base: readonly string[], folder: string, bench: Bench): Promise<void> {
  const isRoot = (bench.user?.uid ?? process.getuid?.()) === 0
  const steps = [
    [...base, 'rm', '--force', '--ignore', '--time', '0', CONTAINER],
    [...base, 'rmi', '--force', '--ignore', IMAGE],
    // An ordinary user's store has files of other ids, and a process that keeps their namespace.
    ...(isRoot
      ? []
      : [
          [...base, 'unshare', 'rm', '-rf', join(folder, 'store')],
          [...base, 'system', 'migrate'],
        ]),
  ]
  for (const step of steps) await capture(step, {cwd: bench.folder, env: bench.environment, ...bench.user})
}

import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError, makeFolder, runAsUser} from './invocation.js'
import type {Absence} from './measure.js'
import {describeWay, podmanSettings, type Way} from './podman-settings.js'

/** podman with a store of this run and a running container. */
export type Podman = {
  /** The options that a container needs here, in words, for the report. */
  readonly ways: string
  /** Name of the image in its store, made from the rootfs. */
  readonly image: string
  /** For a program that calls podman. */
  readonly variables: Readonly<Record<string, string>>
  /** Invocations, to be timed: a new container, and one more program in the running one. */
  run(...command: string[]): Invocation
  exec(...command: string[]): Invocation
  /** Ends its container and removes all that it stored. */
  close(): Promise<void>
}

/** From its defaults to the options for a host with both cgroup versions, or without privileges. */
const WAYS: readonly Way[] = [
  {},
  {cgroupManager: 'cgroupfs'},
  {runtime: 'runc', cgroupManager: 'cgroupfs'},
  {runtime: 'crun', cgroupManager: 'cgroupfs'},
]
const IMAGE = 'localhost/envs-bench'
const CONTAINER = 'envs-bench'
/** The same as environments, and without a program that makes a network. */
const NETWORK = '--network=host'

/**
 * Imports the same rootfs into podman and takes the first options that work.
 *
 * @returns The reason, if none work.
 */
export async function openPodman(rootfs: string, bench: Bench): Promise<Podman | Absence> {
  const name = 'podman'
  if (findProgram(name, bench.environment['PATH'] ?? '') === undefined) {
    return {name, reason: 'podman is not installed'}
  }
  const folder = join(bench.folder, 'podman')
  await makeFolder(folder, bench)
  const {variables, write} = podmanSettings(folder, bench)
  const told = {...bench, environment: {...bench.environment, ...variables}}
  const close = () => clear(folder, told)
  try {
    await write({driver: undefined, way: {}})
    const driver = await runAsUser(['podman', 'info', '--format', '{{.Store.GraphDriverName}}'], told)
    const use = (way: Way) => write({driver: driver.trim(), way})
    await use({})
    await runAsUser(['podman', 'import', '--quiet', rootfs, IMAGE], told)
    const way = await firstThatRuns(use, told)
    const isolation = ['--name', CONTAINER, NETWORK, IMAGE]
    await runAsUser(['podman', 'run', '--detach', ...isolation, 'sleep', 'infinity'], told)
    return {
      ways: [...describeWay(way), NETWORK].join(' '),
      image: IMAGE,
      variables,
      run: (...command) => ({argv: ['podman', 'run', '--rm', NETWORK, IMAGE, ...command], variables}),
      exec: (...command) => ({argv: ['podman', 'exec', CONTAINER, ...command], variables}),
      close,
    }
  } catch (error) {
    await close()
    if (!(error instanceof InvocationFailedError)) throw error
    return {name, reason: error.message.split('\n').at(-1) ?? error.message}
  }
}

/** @throws {InvocationFailedError} The failure with the defaults, if no options work. */
async function firstThatRuns(use: (way: Way) => Promise<void>, bench: Bench): Promise<Way> {
  let failure: unknown
  for (const way of WAYS) {
    try {
      await use(way)
      await runAsUser(['podman', 'run', '--rm', NETWORK, IMAGE, 'true'], bench)
      return way
    } catch (error) {
      if (!(error instanceof InvocationFailedError)) throw error
      failure ??= error
    }
  }
  throw failure
}

/** Continues after steps with nothing to do; the removal of the folder reports leftovers. */
async function clear(folder: string, bench: Bench): Promise<void> {
  const isRoot = (bench.user?.uid ?? process.getuid?.()) === 0
  const steps = [
    ['podman', 'rm', '--force', '--ignore', '--time', '0', CONTAINER],
    ['podman', 'rmi', '--force', '--ignore', IMAGE],
    // An ordinary user's store has files of other ids, and a process that keeps their namespace.
    ...(isRoot
      ? []
      : [
          ['podman', 'unshare', 'rm', '-rf', join(folder, 'store')],
          ['podman', 'system', 'migrate'],
        ]),
  ]
  for (const step of steps) await capture(step, {cwd: bench.folder, env: bench.environment, ...bench.user})
}

import {setTimeout as sleep} from 'node:timers/promises'
import type {Identity} from '../../src/sandbox/identity.js'
import type {Ran, Store} from '../store.js'
import {SERVICE_PACKAGES, type ServicePackage} from './packages.js'

/** An environment of the table. */
export type Cell = {
  /** The image, as `envs create` takes it. */
  readonly image: string
  readonly release: string
  readonly identity: Identity
  readonly init: 'systemd' | 'services'
}

export type CellResult = Cell & {
  /** The word of `systemctl is-system-running`. */
  readonly whole: string
  /** From `envs start` to its end. */
  readonly bootMs: number
  readonly answers: readonly Answer[]
}

export type Answer = {
  readonly package: string
  /** `absent`: the release has no such package. */
  readonly result: 'answered' | 'silent' | 'absent'
  /** For one that is silent: the state of its unit, as systemctl says it. */
  readonly state: string
}

/** A busy machine needs a minute for RabbitMQ, and cron looks once a minute. */
const ASK_FOR_MS = 90_000
const ASK_EVERY_MS = 1000
/** A unit that has failed is asked no more. */
const ASKS_BETWEEN_LOOKS = 10
/** An installation of twenty servers. */
const INSTALL_TIMEOUT_MS = 60 * 60_000

type Tools = {
  readonly store: Store
  readonly signal: AbortSignal
  readonly packages?: readonly ServicePackage[]
}

/**
 * Makes the environment that the cells of a release and an identity are clones of, with all packages installed by one command.
 * One that the store has from a former run is taken as it is.
 *
 * @returns Its name.
 * @throws {Error} If it can't be made.
 */
export async function prepare(
  {image, release, identity}: Pick<Cell, 'image' | 'release' | 'identity'>,
  tools: Tools,
): Promise<string> {
  const name = `${release}-${identity}`
  const {need} = commandsOf(tools)
  if ((await need(['list', '--quiet'])).output.split('\n').includes(name)) return name
  const begun = `${name}-unfinished`
  await tools.store.run(['rm', '--force', '--now', begun])
  // Without an init: a package whose service can't start, for its port is not moved yet, would fail to install.
  await need(['create', image, '--name', begun, '--identity', identity, '--quiet'])
  await need(['run', begun, '--', 'apt-get', '-q', 'update'])
  const known = await knownPackages(begun, tools)
  await need(['run', begun, '--', ...INSTALL, ...known.map((each) => each.name)], INSTALL_TIMEOUT_MS)
  for (const {prepare: script} of known)
    if (script !== undefined) await need(['run', begun, '--', 'sh', '-ec', script])
  await need(['stop', begun])
  await need(['rename', begun, name])
  return name
}

/**
 * Boots a clone of what `prepare` made, and asks each service for an answer. The clone is removed in any case.
 *
 * @throws {Error} If it can't be made, or does not boot.
 */
export async function tryCell(cell: Cell, tools: Tools): Promise<CellResult> {
  const {release, identity, init} = cell
  const {store, signal, packages = SERVICE_PACKAGES} = tools
  const name = `${release}-${identity}-${init}`
  const {run, need} = commandsOf(tools)
  try {
    await need(['clone', `${release}-${identity}`, name])
    if (init === 'systemd') await need(['run', name, '--', ...INSTALL, ...SYSTEMD], INSTALL_TIMEOUT_MS)
    const known = await knownPackages(name, tools)
    await need(['stop', name])
    await need(['set', name, `init=${init}`])
    const begun = performance.now()
    await need(['start', name])
    const bootMs = performance.now() - begun
    const answers: Answer[] = []
    for (const each of packages) {
      answers.push(
        known.includes(each)
          ? await ask(each, (argv) => run(['run', name, '--', ...argv]), signal)
          : {package: each.name, result: 'absent', state: ''},
      )
    }
    const whole = await run(['run', name, '--', 'systemctl', 'is-system-running'])
    return {...cell, whole: whole.output.trim(), bootMs, answers}
  } finally {
    await store.run(['rm', '--force', '--now', name])
  }
}

function commandsOf({store, signal}: Tools) {
  const run = (argv: readonly string[], timeoutMs?: number) =>
    store.run(argv, {signal, ...(timeoutMs === undefined ? {} : {timeoutMs})})
  return {
    run,
    need: async (argv: readonly string[], timeoutMs?: number) =>
      requireSuccess(argv, await run(argv, timeoutMs)),
  }
}

// Recommended packages bring drivers of hardware, whose units fail in any container.
const INSTALL = [
  ...['env', 'DEBIAN_FRONTEND=noninteractive'],
  ...['apt-get', '-q', '-y', '--no-install-recommends', 'install'],
] as const

/** The packages that make a guest bootable. */
const SYSTEMD = ['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd'] as const

async function knownPackages(name: string, tools: Tools): Promise<ServicePackage[]> {
  const {packages = SERVICE_PACKAGES} = tools
  const {output} = await commandsOf(tools).need(['run', name, '--', 'apt-cache', 'pkgnames'])
  const names = new Set(output.split('\n'))
  return packages.filter((each) => names.has(each.name))
}

async function ask(
  {name, unit, answer}: ServicePackage,
  inside: (argv: readonly string[]) => Promise<Ran>,
  signal: AbortSignal,
): Promise<Answer> {
  const show = async () =>
    (await inside(['systemctl', 'show', '--property=ActiveState,SubState,Result', unit])).output
      .trim()
      .replaceAll(/\s+/g, ' ')
  // Not a number of times: one that accepts a connection and says nothing takes seconds to ask.
  const end = performance.now() + ASK_FOR_MS
  for (let asked = 1; performance.now() < end; asked++) {
    if ((await inside(['timeout', '20', 'bash', '-O', 'extglob', '-c', answer])).status === 0)
      return {package: name, result: 'answered', state: ''}
    if (asked % ASKS_BETWEEN_LOOKS === 0 && (await show()).includes('ActiveState=failed')) break
    await sleep(ASK_EVERY_MS, undefined, {signal})
  }
  return {package: name, result: 'silent', state: await show()}
}

function requireSuccess(argv: readonly string[], ran: Ran): Ran {
  if (ran.status === 0) return ran
  throw new Error(
    `envs ${argv.join(' ')} ended with status ${ran.status}:\n${ran.output.trim().split('\n').slice(-12).join('\n')}`,
  )
}

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
const MOST_ASKS = 90
const ASK_EVERY_MS = 1000
/** An installation of twenty servers. */
const INSTALL_TIMEOUT_MS = 60 * 60_000

/**
 * Makes an environment, installs all packages by one command, boots it and asks each service for an answer. The environment is
 * removed in any case.
 *
 * @throws {Error} If the environment can't be made, or does not boot.
 */
export async function tryCell(
  cell: Cell,
  {
    store,
    signal,
    packages = SERVICE_PACKAGES,
  }: {store: Store; signal: AbortSignal; packages?: readonly ServicePackage[]},
): Promise<CellResult> {
  const {image, release, identity, init} = cell
  const name = `${release}-${identity}-${init}`
  const run = (argv: readonly string[], timeoutMs?: number) =>
    store.run(argv, {signal, ...(timeoutMs === undefined ? {} : {timeoutMs})})
  const need = async (argv: readonly string[], timeoutMs?: number) =>
    requireSuccess(argv, await run(argv, timeoutMs))
  try {
    // Without an init at first: a package whose service can't start, for its port is not moved yet, would fail to install.
    await need(['create', image, '--name', name, '--identity', identity, '--quiet'])
    await need(['run', name, '--', 'apt-get', '-q', 'update'])
    const known = await knownPackages(packages, (argv) => need(['run', name, '--', ...argv]))
    await need(
      [
        'run',
        name,
        '--',
        ...INSTALL,
        ...(init === 'systemd' ? SYSTEMD : []),
        ...known.map((each) => each.name),
      ],
      INSTALL_TIMEOUT_MS,
    )
    for (const {prepare} of known)
      if (prepare !== undefined) await need(['run', name, '--', 'sh', '-ec', prepare])
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

const INSTALL = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y', 'install'] as const

/** The packages that make a guest bootable. */
const SYSTEMD = ['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd'] as const

async function knownPackages(
  packages: readonly ServicePackage[],
  inside: (argv: readonly string[]) => Promise<Ran>,
): Promise<ServicePackage[]> {
  const {output} = await inside(['apt-cache', 'pkgnames'])
  const names = new Set(output.split('\n'))
  return packages.filter(({name}) => names.has(name))
}

async function ask(
  {name, unit, answer}: ServicePackage,
  inside: (argv: readonly string[]) => Promise<Ran>,
  signal: AbortSignal,
): Promise<Answer> {
  for (let asked = 1; asked <= MOST_ASKS; asked++) {
    if ((await inside(['timeout', '20', 'bash', '-O', 'extglob', '-c', answer])).status === 0)
      return {package: name, result: 'answered', state: ''}
    await sleep(ASK_EVERY_MS, undefined, {signal})
  }
  const {output} = await inside(['systemctl', 'show', '--property=ActiveState,SubState,Result', unit])
  return {package: name, result: 'silent', state: output.trim().replaceAll(/\s+/g, ' ')}
}

function requireSuccess(argv: readonly string[], ran: Ran): Ran {
  if (ran.status === 0) return ran
  throw new Error(
    `envs ${argv.join(' ')} ended with status ${ran.status}:\n${ran.output.trim().split('\n').slice(-12).join('\n')}`,
  )
}

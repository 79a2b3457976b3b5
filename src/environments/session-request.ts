import {isAbsolute, normalize, resolve} from 'node:path'
import {UsageError} from '../errors.js'
import type {Host} from '../host/host.js'
import {isInTerminalForeground} from '../host/proc.js'
import type {SessionRequest, Volume} from '../sandbox/session-arguments.js'
import type {EngineSetting} from './engine.js'
import type {EnvironmentName} from './name.js'

/** What the user said of a session, as typed. */
export type SessionWish = {
  readonly command: readonly string[]
  readonly user: string | undefined
  readonly workingFolder: string | undefined
  /** `KEY=VALUE`, or `KEY` for the host's value. */
  readonly variables: readonly string[]
  /** `SOURCE[:TARGET[:ro]]` */
  readonly volumes: readonly string[]
  readonly durable: Durability
  /** What an environment that is down is started with; left out, the best there is. */
  readonly engine?: EngineSetting
}

/**
 * What becomes of the guest's syncs: `auto` elides those of APT's changes, `always` none, `never` all of the session.
 */
export type Durability = 'auto' | 'always' | 'never'

type Surroundings = {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingFolder: string
  readonly forwardsInterrupts: boolean
}

/** Of the host's environment the guest sees these; the rest may hold secrets, or paths that mean nothing there. */
export const PASSED_ON = [
  ...['TERM', 'COLORTERM', 'TZ'],
  ...['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY'],
] as const

/** Reads the flags of a session that begins here and now. @throws {UsageError} */
export function planRequest(host: Host, {name}: {name: EnvironmentName}, wish: SessionWish): SessionRequest {
  return planSession(name, wish, {
    environment: host.environment,
    workingFolder: host.workingFolder,
    forwardsInterrupts: !isInTerminalForeground(),
  })
}

/** Reads the flags of a session. @throws {UsageError} */
export function planSession(name: EnvironmentName, wish: SessionWish, around: Surroundings): SessionRequest {
  if (wish.workingFolder !== undefined && !isAbsolute(wish.workingFolder)) {
    throw new UsageError(`--workdir "${wish.workingFolder}" is not an absolute path.`, [
      'Give an absolute path in the environment.',
    ])
  }
  return {
    command: wish.command,
    user: wish.user ?? 'root',
    workingFolder: wish.workingFolder,
    variables: [
      ...standardVariables(name, around.environment),
      ...(wish.durable === 'auto' ? [] : [{name: 'ENVS_DURABLE', value: wish.durable}]),
      ...wish.variables.map((text) => variable(text, around)),
    ],
    volumes: wish.volumes.map((text) => parseVolume(text, around.workingFolder)),
    forwardsInterrupts: around.forwardsInterrupts,
  }
}

/** Reads `SOURCE[:TARGET[:ro|rw]]`; TARGET defaults to SOURCE's own absolute path. @throws {UsageError} */
export function parseVolume(text: string, workingFolder: string): Volume {
  const [source = '', target, access = 'rw', ...more] = text.split(':')
  const absoluteSource = resolve(workingFolder, source)
  const absoluteTarget = target ?? absoluteSource
  if (
    source === '' ||
    more.length > 0 ||
    !isAbsolute(absoluteTarget) ||
    (access !== 'ro' && access !== 'rw')
  ) {
    throw new UsageError(`--volume "${text}" is not valid.`, [
      'Write SOURCE[:TARGET[:ro]] with an absolute TARGET: --volume ./src:/src:ro',
    ])
  }
  const normal = normalize(absoluteTarget)
  if (normal === '/') throw new UsageError(`--volume "${text}" would hide the whole environment.`)
  return {source: absoluteSource, target: normal, access}
}

function standardVariables(name: EnvironmentName, environment: Surroundings['environment']) {
  const passed = PASSED_ON.flatMap((key) => {
    const value = environment[key]
    return value === undefined ? [] : [{name: key, value}]
  })
  return [
    {name: 'PATH', value: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'},
    // The one locale that every release has; the host's own may be missing in the guest.
    {name: 'LANG', value: 'C.UTF-8'},
    {name: 'container', value: 'envs'},
    {name: 'ENVS_NAME', value: name},
    {name: 'debian_chroot', value: name},
    ...passed,
  ]
}

function variable(text: string, {environment}: Pick<Surroundings, 'environment'>) {
  const cut = text.indexOf('=')
  const name = cut === -1 ? text : text.slice(0, cut)
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new UsageError(`--env "${text}": "${name}" is not a valid name for a variable.`, [
      'Write KEY=VALUE or KEY.',
    ])
  }
  return {name, value: cut === -1 ? (environment[name] ?? '') : text.slice(cut + 1)}
}

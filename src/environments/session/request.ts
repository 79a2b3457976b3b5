import {isAbsolute} from 'node:path'
import {UsageError} from '../../errors.js'
import type {SessionSpec, SessionWish} from '../../features/feature.js'
import {sessionWithFeatures} from '../../features/index.js'
import type {Host} from '../../host/host.js'
import {isInTerminalForeground} from '../../host/machine/proc.js'
import type {RunConfigRecord} from '../../images/oci/origin.js'
import {PROXY_URL} from '../../sandbox/network/helper.js'
import {filterSets} from '../../sandbox/seccomp/rules.js'
import type {SessionRequest, SessionVariable} from '../../sandbox/session-options.js'
import type {Environment, EnvironmentName} from '../../store/environments.js'

type HostSurroundings = {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly forwardsInterrupts: boolean
  /** Settings in the configuration of the image; undefined for an image without one. */
  readonly image?: ImageDefaults | undefined
}

type ImageDefaults = Pick<RunConfigRecord, 'env' | 'workingFolder'>

/** Environment variables of the host that the guest inherits. The others may hold secrets, or paths that do not exist in the guest. */
export const PASSED_ON = [
  ...['TERM', 'COLORTERM', 'TZ'],
  ...['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY'],
] as const

/** Reads the flags of a session that this process starts. @throws {UsageError} */
export function planRequest(
  {environment, workingFolder}: Host,
  {name, record}: Pick<Environment, 'name' | 'record'>,
  wish: SessionWish,
): SessionSpec {
  const forwardsInterrupts = !isInTerminalForeground()
  const image = record.image.container?.config
  const session = {
    request: planSession(name, wish, {
      environment: record.settings.allowHosts === undefined ? environment : behindProxy(environment),
      forwardsInterrupts,
      image,
    }),
    filterSets: filterSets(record.identity, {elidesSyncs: wish.durable === 'never'}),
  }
  return sessionWithFeatures(session, {wish, workingFolder})
}

/** Returns the variables with the proxy of the environment in place of those of the host. */
function behindProxy(environment: Host['environment']): Host['environment'] {
  const others = Object.entries(environment).filter(([key]) => !/proxy$/i.test(key))
  const own = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].map(
    (key) => [key, PROXY_URL] as const,
  )
  return {...Object.fromEntries(others), ...Object.fromEntries(own)}
}

/** Reads the flags of a session, without the flags that features read. @throws {UsageError} */
export function planSession(
  name: EnvironmentName,
  wish: SessionWish,
  surroundings: HostSurroundings,
): SessionRequest {
  if (wish.workingFolder !== undefined && !isAbsolute(wish.workingFolder)) {
    throw new UsageError(`--workdir "${wish.workingFolder}" is not an absolute path.`, [
      'Give an absolute path in the environment.',
    ])
  }
  if (wish.network !== undefined && wish.network !== 'none')
    throw new UsageError(`--network ${wish.network} is not possible for one session: it can only be none.`, [
      `For the whole environment: envs set ${name} network=${wish.network}`,
    ])
  return {
    ...(wish.network === undefined ? {} : {network: 'none' as const}),
    command: wish.command,
    user: wish.user ?? 'root',
    workingFolder: wish.workingFolder,
    ...usualFolderOf(surroundings.image),
    variables: [
      ...standardVariables(name, surroundings),
      ...(wish.durable === 'auto' ? [] : [{name: 'ENVS_DURABLE', value: wish.durable}]),
      ...wish.variables.map((text) => variable(text, surroundings)),
    ],
    volumes: [],
    forwardsInterrupts: surroundings.forwardsInterrupts,
  }
}

/** A relative path means one of the root, as in Docker. */
function usualFolderOf(image: ImageDefaults | undefined): Pick<SessionRequest, 'usualFolder'> {
  const folder = image?.workingFolder ?? ''
  if (folder === '' || folder.includes('\0')) return {}
  return {usualFolder: folder.startsWith('/') ? folder : `/${folder}`}
}

/** Skips what is not `NAME=VALUE`. An empty PATH would leave a session without programs. */
function imageVariables(image: ImageDefaults | undefined): SessionVariable[] {
  return (image?.env ?? []).flatMap((text) => {
    const {name, value} = /^(?<name>[^=\0]+)=(?<value>[^\0]*)$/.exec(text)?.groups ?? {}
    if (name === undefined || value === undefined || (name === 'PATH' && value === '')) return []
    return [{name, value, isOfImage: true} as const]
  })
}

function standardVariables(
  name: EnvironmentName,
  {environment, image}: Pick<HostSurroundings, 'environment' | 'image'>,
): SessionVariable[] {
  const passed = PASSED_ON.flatMap((key) => {
    const value = environment[key]
    return value === undefined ? [] : [{name: key, value}]
  })
  return [
    {name: 'PATH', value: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'},
    // Every release has this locale; the host's locale may be missing in the guest.
    {name: 'LANG', value: 'C.UTF-8'},
    ...imageVariables(image),
    {name: 'container', value: 'envs'},
    {name: 'ENVS_NAME', value: name},
    {name: 'debian_chroot', value: name},
    ...passed,
  ]
}

function variable(text: string, {environment}: Pick<HostSurroundings, 'environment'>) {
  const cut = text.indexOf('=')
  const name = cut === -1 ? text : text.slice(0, cut)
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new UsageError(`--env "${text}": "${name}" is not a valid name for a variable.`, [
      'Write KEY=VALUE or KEY.',
    ])
  }
  return {name, value: cut === -1 ? (environment[name] ?? '') : text.slice(cut + 1)}
}

import {existsSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {makeFolders, writeFileAtomic} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {packageRoot, templatePath} from '../../host/paths.js'
import {type Captured, capture, requirePerl} from '../../host/process.js'
import {lingers, managerVariables} from '../../sandbox/init/user-manager.js'
import {type Environment, findEnvironment, parseEnvironmentName} from '../../store/environments.js'
import {initOf} from '../../store/record.js'
import {type BootLine, crontabWith, crontabWithout, hasCrontabLine, unitText} from './autostart-files.js'
import {
  autostartFailedError,
  autostartUnavailableError,
  lingerRefusedError,
  nothingToStartError,
} from './errors.js'
import type {AutostartResult} from './results.js'

type AutostartOptions = {
  /** Whether the user manager is to run without a login, from the boot of the host on. */
  readonly linger: boolean
}

/**
 * Has an environment started with the host: by a unit of the user manager, else by a line of the crontab.
 *
 * @throws {@link autostartUnavailableError} @throws {@link autostartFailedError} @throws {@link nothingToStartError}
 */
export async function enableAutostart(
  host: Host,
  text: string,
  {linger}: AutostartOptions,
): Promise<AutostartResult> {
  const environment = await findEnvironment(host.paths, text)
  const {name} = environment
  if (initOf(environment.record) === 'none') throw nothingToStartError({environment: name})
  if (await hasUserManager(host)) {
    await enableUnit(host, environment)
    if (linger) await enableLinger(host, name)
    return {name, autostart: 'systemd', lingers: await lingers(host)}
  }
  if (host.which('crontab') === undefined) throw autostartUnavailableError({environment: name})
  const line = bootLine(host, environment)
  await writeCrontab(host, name, crontabWith(await readCrontab(host), line))
  return {name, autostart: 'crontab', lingers: null}
}

/** Undoes {@link enableAutostart}, also for an environment that was removed. */
export async function disableAutostart(host: Host, text: string): Promise<AutostartResult> {
  const name = parseEnvironmentName(text)
  const path = unitPath(host, name)
  if (existsSync(path)) {
    if (await hasUserManager(host)) await must(host, name, systemctl('disable', unitName(name)))
    await rm(path, {force: true})
    if (await hasUserManager(host)) await must(host, name, systemctl('daemon-reload'))
  } else await findEnvironment(host.paths, name).catch(() => undefined)
  const crontab = await readCrontab(host)
  if (hasCrontabLine(crontab, name)) await writeCrontab(host, name, crontabWithout(crontab, name))
  return {name, autostart: null, lingers: null}
}

/** Returns how an environment is started with the host. @throws {EnvironmentNotFoundError} */
export async function showAutostart(host: Host, text: string): Promise<AutostartResult> {
  const {name} = await findEnvironment(host.paths, text)
  if (existsSync(unitPath(host, name))) return {name, autostart: 'systemd', lingers: await lingers(host)}
  const isInCrontab = hasCrontabLine(await readCrontab(host), name)
  return {name, autostart: isInCrontab ? 'crontab' : null, lingers: null}
}

async function enableUnit(host: Host, environment: Environment): Promise<void> {
  const path = unitPath(host, environment.name)
  await makeFolders(join(path, '..'), {mode: 0o755})
  await writeFileAtomic(path, unitText(bootLine(host, environment)), {mode: 0o644})
  await must(host, environment.name, systemctl('daemon-reload'))
  await must(host, environment.name, systemctl('enable', unitName(environment.name)))
}

/** The user's own; polkit decides about it. @throws {@link lingerRefusedError} */
async function enableLinger(host: Host, environment: string): Promise<void> {
  const {status, stderr} = await ask(host, ['loginctl', 'enable-linger'])
  if (status === 0) return
  const user = host.environment['USER'] || host.environment['LOGNAME'] || String(host.uid)
  throw lingerRefusedError({environment, user, reason: reasonIn(stderr, status)})
}

function unitName(name: string): string {
  return `envs@${name}.service`
}

/** @see systemd.unit(5) : the user unit search path */
function unitPath({environment}: Host, name: string): string {
  const {XDG_CONFIG_HOME: config = '', HOME: home = '/'} = environment
  const folder = config.startsWith('/') ? config : join(home, '.config')
  return join(folder, 'systemd', 'user', unitName(name))
}

/** Variables that choose the store: a unit and a line of the crontab see none of the user's. */
const STORE_VARIABLES = ['ENVS_HOME', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'] as const

function bootLine(host: Host, {name, files}: Environment): BootLine {
  const variables = STORE_VARIABLES.flatMap((key) => {
    const value = host.environment[key] ?? ''
    return value === '' ? [] : [[key, value] as const]
  })
  const nodeFolder = join(process.execPath, '..')
  return {
    name,
    program: join(packageRoot(), 'bin', 'envs'),
    attendant: [requirePerl(host), templatePath('host/attend.pl')],
    runFolder: files.run,
    variables: [
      ['PATH', `/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:${nodeFolder}`],
      ...variables,
    ],
  }
}

function systemctl(...words: readonly string[]): string[] {
  return ['systemctl', '--user', ...words]
}

/** Returns whether the user manager of this user answers. */
async function hasUserManager(host: Host): Promise<boolean> {
  if (host.which('systemctl') === undefined) return false
  return (await ask(host, systemctl('show', '--property=Version'))).status === 0
}

async function readCrontab(host: Host): Promise<string> {
  if (host.which('crontab') === undefined) return ''
  // Status 1 without a crontab.
  const {status, stdout} = await ask(host, ['crontab', '-l'])
  return status === 0 ? stdout : ''
}

async function writeCrontab(host: Host, environment: string, text: string): Promise<void> {
  await must(host, environment, ['crontab', '-'], text)
}

async function must(host: Host, environment: string, argv: readonly string[], input?: string): Promise<void> {
  const {status, stderr} = await ask(host, argv, input)
  if (status === 0) return
  throw autostartFailedError({environment, program: argv.join(' '), reason: reasonIn(stderr, status)})
}

/** Returns the first line of what a program said, without its full stop. */
function reasonIn(stderr: string, status: number): string {
  const [line = ''] = stderr.trim().split('\n')
  return line.replace(/\.$/, '') || `status ${status}`
}

/** Longer than a busy manager takes to answer. */
const TIMEOUT_MS = 60_000

async function ask(host: Host, argv: readonly string[], input?: string): Promise<Captured> {
  const env = managerVariables(host)
  return capture(argv, {env, timeout: TIMEOUT_MS, ...(input === undefined ? {} : {input})})
}

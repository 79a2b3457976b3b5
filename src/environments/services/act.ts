import {readFileSync} from 'node:fs'
import type {EnvsError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {templatePath} from '../../host/paths.js'
import {type TreeService, unitName} from '../../rootfs/tree-services.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {initOf} from '../../store/record.js'
import {stopPrograms} from '../programs/stop.js'
import {type CapturedSession, captureInEnvironment} from '../session/capture.js'
import {isRunning} from '../session/processes.js'
import {bootedAnchor} from './booted.js'
import {serviceActionFailedError, serviceNeedsInitError, serviceNotFoundError} from './errors.js'
import {rowsOf, treeServices} from './list.js'
import {wholeLogCommand} from './log.js'
import {describePortProblem, findPortProblem, portsInLog} from './port-reason.js'
import type {ServiceActionResult} from './results.js'

export const SERVICE_ACTIONS = ['start', 'stop', 'restart', 'enable', 'disable'] as const

export type ServiceAction = (typeof SERVICE_ACTIONS)[number]

type ActionRequest = {
  readonly action: ServiceAction
  /** As the user typed them, at least one. */
  readonly units: readonly string[]
}

type ActionOptions = {
  /** Receives what the programs printed, also before a failure: the guest's word. */
  readonly onOutput: (text: string) => void
}

/**
 * Acts on services: by `systemctl` where an init runs, else by init scripts and links. Starts the environment when it is stopped, but
 * not to stop a service.
 *
 * @param text - Name of the environment.
 * @throws {@link serviceNotFoundError} @throws {@link serviceNeedsInitError} @throws {@link serviceActionFailedError}
 */
export async function actOnServices(
  host: Host,
  text: string,
  {action, units: words}: ActionRequest,
  {onOutput}: ActionOptions,
): Promise<ServiceActionResult> {
  const environment = await findEnvironment(host.paths, text)
  const {name} = environment
  const wasRunning = isRunning(host, environment.files)
  // A program is started by "envs run --detach" alone.
  const programs = action === 'stop' ? await stopPrograms(environment, words) : []
  const units = words.filter((word) => !programs.includes(word)).map((word) => parseUnit(name, word))
  const done = {name, action, units: [...programs, ...units], wasRunning}
  const result = async () => ({...done, services: await rowsOf(host, environment, {units, programs})})
  if (units.length === 0) return result()
  if (action === 'stop' && !wasRunning) {
    await requireUnits(host, environment, units)
    return result()
  }
  const seeLog = `envs services ${name} log ${units.join(' ')}`
  if (hasInit(environment)) {
    const ended = await captureInEnvironment(host, name, ['systemctl', action, '--', ...units])
    onOutput(outputOf(ended))
    if (ended.status === 0) return result()
    throw await failure(host, environment, {
      ...{...done, program: 'systemctl', ended},
      nextStep: seeLog,
    })
  }
  await refuseWithoutScript(host, environment, {action, units})
  const script = readFileSync(templatePath('guest/service.sh'), 'utf8')
  const command = ['/bin/sh', '-c', script, 'envs-service', action, ...units]
  const ended = await captureInEnvironment(host, name, command)
  onOutput(outputOf(ended))
  if (ended.status === 0) return result()
  throw await failure(host, environment, {
    ...{...done, program: needsScript(action) ? 'an init script' : 'update-rc.d', ended},
    nextStep: needsScript(action)
      ? seeLog
      : `See the links that there are: envs run ${name} -- ls /etc/systemd/system /etc/rc2.d`,
  })
}

function parseUnit(name: string, word: string): string {
  const unit = unitName(word)
  if (unit === undefined) throw serviceNotFoundError({name, unit: word})
  return unit
}

/** Returns whether an init runs, or will run as soon as the environment starts. */
function hasInit(environment: Environment): boolean {
  if (bootedAnchor(environment) !== undefined) return true
  return initOf(environment.record) !== 'none' && readLiveAnchor(environment.files.run) === undefined
}

async function refuseWithoutScript(
  host: Host,
  environment: Environment,
  {action, units}: ActionRequest,
): Promise<void> {
  const {name} = environment
  for (const {unit, hasScript} of await requireUnits(host, environment, units))
    if (needsScript(action) && !hasScript) throw serviceNeedsInitError({name, unit, action})
}

/** Returns what the tree has of the units. @throws {@link serviceNotFoundError} */
async function requireUnits(
  host: Host,
  environment: Environment,
  units: readonly string[],
): Promise<TreeService[]> {
  const services = await treeServices(host, environment, units)
  return units.map((unit) => {
    const service = services.find((each) => each.unit === unit)
    if (service === undefined) throw serviceNotFoundError({name: environment.name, unit})
    return service
  })
}

function needsScript(action: ServiceAction): boolean {
  return action !== 'enable' && action !== 'disable'
}

function outputOf({stdout, stderr}: CapturedSession): string {
  return stdout + stderr
}

type ActionFailure = Omit<ServiceActionResult, 'services'> & {
  readonly program: string
  readonly ended: CapturedSession
  readonly nextStep: string
}

async function failure(
  host: Host,
  {name, files}: Environment,
  {action, units, program, ended, nextStep}: ActionFailure,
): Promise<EnvsError> {
  const written =
    action === 'start' || action === 'restart'
      ? await captureInEnvironment(host, name, wholeLogCommand(units))
      : undefined
  const ports = portsInLog(`${outputOf(ended)}\n${written?.stdout ?? ''}`)
  const problem = await findPortProblem(host, ports, readLiveAnchor(files.run)?.pid ?? process.pid)
  return serviceActionFailedError(
    {name, action, units, program, status: ended.status},
    {suggestions: [...(problem === undefined ? [] : [describePortProblem(problem)]), nextStep]},
  )
}

import type {Host} from '../../host/host.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {chooseEnvironment, type Environment} from '../../store/environments.js'
import {initOf} from '../../store/record.js'
import {type CapturedSession, captureInEnvironment} from '../session/capture.js'
import {stopEnvironment} from '../session/processes.js'
import type {WaitCondition} from './condition.js'
import {nothingToStartError, notReadyError, unitFailedError} from './errors.js'
import type {StartResult} from './results.js'

type StartRequest = {
  readonly conditions: readonly WaitCondition[]
  readonly timeoutMs: number
  /** Ends the wait, with its reason; the environment continues. */
  readonly signal: AbortSignal
}

/**
 * Boots an environment that has an init, and waits until all its services have started or failed. One that runs already is only
 * waited for.
 *
 * @param text - Name of the environment; undefined for the only one of the store.
 * @throws {@link nothingToStartError} @throws {@link notReadyError} @throws {@link unitFailedError} @throws As a session.
 */
export async function startEnvironment(
  host: Host,
  text: string | undefined,
  request: StartRequest,
): Promise<StartResult> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files, record} = environment
  const init = initOf(record)
  if (init === 'none') throw nothingToStartError({environment: name})
  const wasRunning = readLiveAnchor(files.run) !== undefined
  const waiting = {...request, deadline: performance.now() + request.timeoutMs}
  const state = await untilBooted(host, environment, waiting)
  for (const condition of request.conditions)
    if (condition.kind === 'port') await untilListening(host, environment, {...waiting, ...condition})
    else await untilActive(host, environment, {...waiting, ...condition})
  const failedUnits = state === 'degraded' ? await findFailedUnits(host, environment) : []
  return {name, init, wasRunning, state, failedUnits}
}

/** Stops an environment as `envs stop` does, and boots it. @throws As {@link startEnvironment}. */
export async function restartEnvironment(
  host: Host,
  text: string | undefined,
  request: StartRequest,
): Promise<StartResult> {
  const {name, record} = await chooseEnvironment(host.paths, text)
  if (initOf(record) === 'none') throw nothingToStartError({environment: name})
  const {wasRunning} = await stopEnvironment(host, name)
  return {...(await startEnvironment(host, name, request)), wasRunning}
}

type Waiting = Pick<StartRequest, 'timeoutMs' | 'signal'> & {
  /** By the clock of `performance.now`. */
  readonly deadline: number
}

/** Until the init has an answer, systemctl fails. Arguments: the end of the wait, in seconds of date(1): the boot itself takes time. */
const AWAIT_BOOT = `left=$(($1 - $(date +%s)))
timeout $((left > 1 ? left : 1)) sh -c 'while :; do
  state=$(systemctl is-system-running --wait 2>/dev/null)
  case $state in running | degraded | maintenance | stopping) exit ;; esac
  sleep 0.1
done'
systemctl is-system-running 2>/dev/null`

/** Ends with the state of the unit. Arguments: the longest time in seconds, the unit. */
const AWAIT_UNIT = `timeout "$1" sh -c 'while :; do
  case $(systemctl show --property=LoadState,ActiveState -- "$1") in
    *ActiveState=active* | *ActiveState=failed* | *LoadState=not-found*) exit ;;
  esac
  sleep 0.2
done' sh "$2"
systemctl show --property=LoadState,ActiveState -- "$2"`

/**
 * Ends with 0 when a process of the guest has a socket that listens. In the network of the host, the table has the sockets of other
 * programs too. Arguments: the longest time in seconds, the protocol, port and state as the table has them.
 *
 * @see proc_pid_net(5)
 */
const AWAIT_PORT = `exec timeout "$1" sh -c 'while :; do
  for table in /proc/net/"$1" /proc/net/"$1"6; do
    while read -r _ local _ state _ _ _ _ _ inode _; do
      [ "\${local##*:} $state" = "$2" ] || continue
      ls -l /proc/[0-9]*/fd 2>/dev/null | grep -Fq "socket:[$inode]" && exit
    done <"$table"
  done 2>/dev/null
  sleep 0.1
done' sh "$2" "$3"`

/** States of sockets: include/net/tcp_states.h of Linux. A UDP socket without a peer has the second one. */
const [TCP_LISTEN, TCP_CLOSE] = ['0A', '07']

async function untilBooted(
  host: Host,
  {name}: Environment,
  waiting: Waiting,
): Promise<'running' | 'degraded'> {
  const mostBootMs = waiting.deadline - performance.now()
  const end = String(Math.ceil((Date.now() + mostBootMs) / 1000))
  const {stdout} = await ask(host, name, {...waiting, words: script(AWAIT_BOOT, end), mostBootMs})
  const state = stdout.trim()
  if (state === 'running' || state === 'degraded') return state
  throw notReady(name, waiting, state === '' ? 'its init does not answer' : `its init is "${state}"`)
}

async function untilActive(
  host: Host,
  {name}: Environment,
  {unit, ...waiting}: Waiting & {readonly unit: string},
): Promise<void> {
  const {stdout} = await ask(host, name, {
    ...waiting,
    words: script(AWAIT_UNIT, secondsLeft(waiting), unit),
  })
  const state = (property: string) => new RegExp(`^${property}=(\\S*)$`, 'm').exec(stdout)?.[1] ?? ''
  if (state('ActiveState') === 'active') return
  if (state('LoadState') === 'not-found') throw unitFailedError({unit, environment: name, state: 'not there'})
  if (state('ActiveState') === 'failed') throw unitFailedError({unit, environment: name, state: 'failed'})
  throw notReady(name, waiting, `the unit ${unit} is "${state('ActiveState')}"`)
}

async function untilListening(
  host: Host,
  {name}: Environment,
  {port, protocol, ...waiting}: Waiting & {readonly port: number; readonly protocol: 'tcp' | 'udp'},
): Promise<void> {
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, '0')
  const state = {tcp: TCP_LISTEN, udp: TCP_CLOSE}[protocol]
  const words = script(AWAIT_PORT, secondsLeft(waiting), protocol, `${hexadecimal} ${state}`)
  const {status} = await ask(host, name, {...waiting, words})
  if (status !== 0) throw notReady(name, waiting, `none of its processes listens on port ${port}/${protocol}`)
}

/** Runs a command that waits. A signal to this process also ends the command, which then has no answer. */
async function ask(
  host: Host,
  name: Environment['name'],
  {words, signal, ...options}: Waiting & {readonly words: readonly string[]; readonly mostBootMs?: number},
): Promise<CapturedSession> {
  const ended = await captureInEnvironment(host, name, words, options)
  signal.throwIfAborted()
  return ended
}

async function findFailedUnits(host: Host, {name}: Environment): Promise<string[]> {
  const words = ['systemctl', 'list-units', '--state=failed', '--plain', '--no-legend', '--no-pager', '--all']
  const {stdout} = await captureInEnvironment(host, name, words)
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((unit) => unit !== '')
    .slice(0, MOST_FAILED)
}

/** The guest's word: more than any guest has. */
const MOST_FAILED = 200

function script(text: string, ...words: readonly string[]): string[] {
  return ['/bin/sh', '-c', text, 'envs-start', ...words]
}

/** At least one: a condition that holds already is no failure. */
function secondsLeft({deadline}: Waiting): string {
  return String(Math.max(1, Math.ceil((deadline - performance.now()) / 1000)))
}

function notReady(environment: string, {timeoutMs}: Waiting, reason: string) {
  return notReadyError({environment, seconds: Math.round(timeoutMs / 1000), reason})
}

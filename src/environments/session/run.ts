import {closeSync, constants, openSync, writeFileSync} from 'node:fs'
import {EnvsError, ExitCode} from '../../errors.js'
import type {SessionContext, SessionSpec, SessionWish} from '../../features/feature.js'
import {beforeSession, refuseUnsupported} from '../../features/index.js'
import {noteOnMissing} from '../../features/notes.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {anchorWords} from '../../sandbox/anchor.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {AnchorFailedError, commandNotFoundError} from '../../sandbox/errors.js'
import type {JoinPlan} from '../../sandbox/join-plan.js'
import {PublicationError} from '../../sandbox/network/errors.js'
import {buildFilter} from '../../sandbox/seccomp/filter.js'
import {planJoin, runSession, type SessionOptions} from '../../sandbox/session.js'
import {sessionCommand} from '../../sandbox/session-options.js'
import {chooseEnvironment, findEnvironment} from '../../store/environments.js'
import {withReserve} from '../../store/integrity/reserve.js'
import {openEnvironmentLock, waitForLock} from '../../store/locks.js'
import {readGuestTree} from '../../store/mounted-tree.js'
import {recordUse} from '../../store/sizes.js'
import {sessionLauncher} from '../../store/tools.js'
import type {SessionPreviewResult} from '../results.js'
import {anchorEngineFor, engineFor} from './engine.js'
import {withFreshTrials} from './fresh-trials.js'
import {tellOfLimits} from './limits-notice.js'
import {planAnchor, prepareAnchor} from './plan.js'
import {runByProot} from './proot.js'
import {PASSED_ON, planRequest} from './request.js'

export type RunOptions = Pick<SessionContext, 'onNotice'> &
  Pick<SessionOptions, 'onStarted' | 'onOutput' | 'mostBootMs'> & {readonly plain?: PlainSession | undefined}

/**
 * Runs a command, or a login shell, in an environment. Starts the environment when it is stopped.
 *
 * @param text - The environment's name; undefined for the only environment of the store.
 * @returns The guest's exit status.
 */
export async function runInEnvironment(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
  {plain, onNotice, ...ofSession}: RunOptions = {},
): Promise<number> {
  const parent = joiningParent(host)
  const environment = await chooseEnvironment(host.paths, text)
  const context = {host, environment, wish, onNotice}
  const session = planRequest(host, environment, wish)
  const lock = await openEnvironmentLock(host.paths, environment.name)
  try {
    await withReserve(host.paths, () => prepareSession(context))
    const options = {...sessionOptions(context, {session, lock, plain}), ...ofSession}
    return await withFreshTrials(host, async () => {
      if (await isForProot(context)) {
        await options.waitForLock()
        await parent?.dieTogether()
        return runByProot(context, {request: session.request, lock, onStarted: ofSession.onStarted})
      }
      if (parent === undefined) return runSession(options)
      parent.sendPlan(await planJoin(options))
      return ExitCode.ok
    })
  } catch (error) {
    if (error instanceof PublicationError) {
      const {explainPublication} = await import('../network/publish.js')
      throw await explainPublication(host, error)
    }
    if (!(error instanceof AnchorFailedError))
      throw await explainMissing(host, error, {name: environment.name, request: session.request})
    const {explainStart} = await import('../doctor/explain-start.js')
    throw await explainStart(host, error, environment)
  } finally {
    lock.release()
  }
}

/** Returns the error with the reason why a program such as `systemctl` is missing; any other error as it is. */
async function explainMissing(
  host: Host,
  error: unknown,
  {name, request}: {name: string; request: SessionSpec['request']},
): Promise<unknown> {
  const [command] = request.command
  const isMissing = error instanceof EnvsError && error.code === commandNotFoundError.code
  if (!isMissing || command === undefined || command === '') return error
  const note = await noteOnMissing(host, name, command)
  return note === undefined
    ? error
    : commandNotFoundError({command, name}, {suggestions: [note], cause: error})
}

/** Returns whether the environment is stopped, and proot is the only engine that can start it. */
async function isForProot({host, environment, wish}: SessionContext): Promise<boolean> {
  if (readLiveAnchor(environment.files.run) !== undefined) return false
  return (await engineFor(host, wish.engine ?? 'auto', environment)) === 'proot'
}

/** A session without options: a later session without options can follow the same plan. */
export type PlainSession = {
  /** Text of the user's settings, read before the settings were parsed; undefined where the file does not exist. */
  readonly settings: string | undefined
}

function sessionOptions(
  context: SessionContext,
  {
    session: {request, filterSets},
    lock,
    plain,
  }: {session: SessionSpec; lock: Lock; plain: PlainSession | undefined},
): SessionOptions {
  const {host, environment, wish} = context
  const {name, files, record} = environment
  const plan = {
    request,
    place: {launcher: sessionLauncher(host), identity: record.identity, architecture: host.architecture},
    filter: buildFilter(host.architecture, filterSets),
    ...{uid: host.uid, folder: files.folder, lock: files.lock},
    ...{passedOn: [], settings: undefined},
    publications: record.settings.publish ?? [],
    hasProxy: record.settings.allowHosts !== undefined,
  }
  return {
    name,
    plan,
    // The disk is measured before each session, by Node.
    keptPlan:
      plain && record.settings.limits?.diskBytes === undefined ? keptPlan(context, plan, plain) : undefined,
    lock,
    runFolder: files.run,
    whileStarting: async (work) => {
      const anchor = await withReserve(host.paths, work)
      tellOfLimits(context, anchor.limits)
      return anchor
    },
    planAnchor: async () => {
      const engine = await anchorEngineFor(host, wish.engine ?? 'auto', environment)
      refuseUnsupported(request, {...context, engine})
      return prepareAnchor(context, engine)
    },
    waitForLock: async () => {
      await waitForLock(host.paths, name, {lock, mode: 'shared'})
      // The command that held the lock may have removed or renamed the environment.
      await findEnvironment(host.paths, name)
    },
  }
}

/** Returns the plan for later sessions like this one, without the host's variables: each session reads its own. */
function keptPlan(
  {host, environment, wish}: SessionContext,
  plan: JoinPlan,
  {settings}: PlainSession,
): JoinPlan {
  // Those of the host for a proxy would replace the environment's own.
  const passedOn = plan.hasProxy ? PASSED_ON.filter((name) => !/proxy$/i.test(name)) : PASSED_ON
  // The image may set some of them too.
  const own = Object.entries(host.environment).filter(
    ([name]) => !PASSED_ON.some((passed) => passed === name),
  )
  const {variables} = planRequest({...host, environment: Object.fromEntries(own)}, environment, wish).request
  return {...plan, settings, passedOn, request: {...plan.request, variables}}
}

/**
 * Calls the features and records the use. The lock is not held yet: another command may remove the environment's folder
 * at the same time.
 */
async function prepareSession(context: SessionContext): Promise<void> {
  const {host, environment} = context
  try {
    await beforeSession(context)
    await recordUse(environment.files.folder, host.now())
  } catch (error) {
    if (isErrno(error, 'ENOENT')) await findEnvironment(host.paths, environment.name)
    throw error
  }
}

/**
 * Set by templates/host/join.pl to ask for a plan instead of a session: the file descriptor for the plan, a comma, and one that ends
 * when join.pl does.
 */
const PLAN_FD_VARIABLE = 'ENVS_HAND_OVER'

/** A parent process that joins the environment itself, and only needs the plan. */
type JoiningParent = {
  sendPlan(plan: Uint8Array): void
  /** Kills this process when the parent is killed; for a session that this process runs itself. */
  dieTogether(): Promise<void>
}

/** @returns undefined where no parent waits for a plan: then this process runs the session. */
function joiningParent({environment}: Pick<Host, 'environment'>): JoiningParent | undefined {
  const [, forPlan, ofParent] = /^(\d{1,6}),(\d{1,6})$/.exec(environment[PLAN_FD_VARIABLE] ?? '') ?? []
  if (forPlan === undefined || ofParent === undefined) return undefined
  // The inherited descriptors have no O_CLOEXEC: in a child process one would keep the reader waiting. The new ones have it.
  const fd = openSync(`/proc/self/fd/${forPlan}`, 'w')
  const parentFd = openSync(`/proc/self/fd/${ofParent}`, constants.O_RDONLY | constants.O_NONBLOCK)
  closeSync(Number(forPlan))
  closeSync(Number(ofParent))
  let isBound = false
  return {
    sendPlan(plan) {
      writeFileSync(fd, plan)
      closeSync(fd)
    },
    async dieTogether() {
      // A second attempt of a session asks for it too.
      if (isBound) return
      isBound = true
      const {Socket} = await import('node:net')
      const parentEnd = new Socket({fd: parentFd, readable: true, writable: false})
      parentEnd.on('close', () => process.kill(process.pid, 'SIGKILL')).resume()
      parentEnd.unref()
    },
  }
}

export type SessionPreview = SessionPreviewResult

/** Returns the command lines that {@link runInEnvironment} would use. Starts nothing. */
export async function previewSession(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
): Promise<SessionPreview> {
  const environment = await chooseEnvironment(host.paths, text)
  const engine = await anchorEngineFor(host, wish.engine ?? 'auto', environment)
  const state = {tree: await readGuestTree(environment), isPreview: true}
  const plan = await planAnchor({host, environment, wish}, engine, state)
  return {
    anchor: await anchorWords(plan),
    session: sessionCommand(
      {
        launcher: sessionLauncher(host),
        anchor: {pid: 0, startTime: ''},
        identity: environment.record.identity,
        architecture: host.architecture,
        parentPid: 0,
      },
      planRequest(host, environment, wish).request,
    ),
  }
}

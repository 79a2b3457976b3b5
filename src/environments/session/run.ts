import {closeSync, openSync, writeFileSync} from 'node:fs'
import {ExitCode} from '../../errors.js'
import type {SessionContext, SessionSpec, SessionWish} from '../../features/feature.js'
import {beforeSession, refuseUnsupported} from '../../features/index.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {anchorWords} from '../../sandbox/anchor.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {AnchorFailedError} from '../../sandbox/errors.js'
import type {JoinPlan} from '../../sandbox/join-plan.js'
import {buildFilter} from '../../sandbox/seccomp/filter.js'
import {planJoin, runSession, type SessionOptions} from '../../sandbox/session.js'
import {sessionCommand} from '../../sandbox/session-options.js'
import {chooseEnvironment, findEnvironment} from '../../store/environments.js'
import {openEnvironmentLock, waitForLock} from '../../store/locks.js'
import {readGuestTree} from '../../store/mounted-tree.js'
import {recordUse} from '../../store/sizes.js'
import {sessionLauncher} from '../../store/tools.js'
import type {SessionPreviewResult} from '../results.js'
import {anchorEngineFor, engineFor} from './engine.js'
import {planAnchor, prepareAnchor} from './plan.js'
import {runByProot} from './proot.js'
import {PASSED_ON, planRequest} from './request.js'

/**
 * Runs a command, or a login shell, in an environment that is started when it is down.
 *
 * @param text - The environment's name; undefined for the only one there is.
 * @returns The guest's exit status.
 */
export async function runInEnvironment(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
  plain?: PlainForm,
): Promise<number> {
  const parent = joiningParent(host)
  const environment = await chooseEnvironment(host.paths, text)
  const context = {host, environment, wish}
  const session = planRequest(host, environment, wish)
  const lock = await openEnvironmentLock(host.paths, environment.name)
  try {
    await noteSession(context)
    const options = sessionOptions(context, {session, lock, plain})
    if (await isForProot(context)) {
      await options.waitForLock()
      return await runByProot(context, {request: session.request, lock})
    }
    if (parent === undefined) return await runSession(options)
    parent.tell(await planJoin(options))
    return ExitCode.ok
  } catch (error) {
    if (!(error instanceof AnchorFailedError)) throw error
    const {explainStart} = await import('../doctor/explain-start.js')
    throw await explainStart(host, error, environment)
  } finally {
    lock.release()
  }
}

/** Whether there is nothing to join, and proot is all that could be started. */
async function isForProot({host, environment, wish}: SessionContext): Promise<boolean> {
  if (readLiveAnchor(environment.files.run) !== undefined) return false
  return (await engineFor(host, wish.engine ?? 'auto', environment)) === 'proot'
}

/** Of a session that asks for nothing but a command, as the next one may too. */
export type PlainForm = {
  /** Text of the user's settings, as it was before they were read; undefined where there are none. */
  readonly settings: string | undefined
}

function sessionOptions(
  context: SessionContext,
  {
    session: {request, filterSets},
    lock,
    plain,
  }: {session: SessionSpec; lock: Lock; plain: PlainForm | undefined},
): SessionOptions {
  const {host, environment, wish} = context
  const {name, files, record} = environment
  const plan = {
    request,
    place: {launcher: sessionLauncher(host), identity: record.identity, architecture: host.architecture},
    filter: buildFilter(host.architecture, filterSets),
    ...{uid: host.uid, folder: files.folder, lock: files.lock},
    ...{passedOn: [], settings: undefined},
  }
  return {
    name,
    plan,
    keptPlan: plain && keptPlan(plan, plain),
    lock,
    runFolder: files.run,
    planAnchor: async () => {
      const engine = await anchorEngineFor(host, wish.engine ?? 'auto', environment)
      refuseUnsupported(request, {...context, engine})
      return prepareAnchor(context, engine)
    },
    waitForLock: async () => {
      await waitForLock(host.paths, name, lock, 'shared')
      // Who had the lock may have removed or renamed it.
      await findEnvironment(host.paths, name)
    },
  }
}

/** Returns the plan of sessions like this one, which have the host's variables from their own surroundings. */
function keptPlan(plan: JoinPlan, {settings}: PlainForm): JoinPlan {
  const isPassedOn = ({name}: {name: string}) => PASSED_ON.some((passed) => passed === name)
  const variables = plan.request.variables.filter((variable) => !isPassedOn(variable))
  return {...plan, settings, passedOn: PASSED_ON, request: {...plan.request, variables}}
}

/** Done before the lock is held, so that it may meet a folder that is about to go, or gone. */
async function noteSession(context: SessionContext): Promise<void> {
  const {host, environment} = context
  try {
    await beforeSession(context)
    await recordUse(environment.files.folder, host.now())
  } catch (error) {
    if (isErrno(error, 'ENOENT')) await findEnvironment(host.paths, environment.name)
    throw error
  }
}

/** By which templates/host/join.pl asks for a plan instead of a session; its value is the number of a descriptor. */
const HAND_OVER = 'ENVS_HAND_OVER'

/** Who joins the environment itself, and only has to be told how. */
export type JoiningParent = {tell(plan: string): void}

/** @returns undefined where nobody waits for a plan: then the session is for this process to run. */
function joiningParent({environment}: Pick<Host, 'environment'>): JoiningParent | undefined {
  const inherited = environment[HAND_OVER] ?? ''
  if (!/^\d{1,6}$/.test(inherited)) return undefined
  // One that is closed at exec takes its place: what is started from here would keep the reader waiting.
  const fd = openSync(`/proc/self/fd/${inherited}`, 'w')
  closeSync(Number(inherited))
  return {
    tell(plan) {
      writeFileSync(fd, plan)
      closeSync(fd)
    },
  }
}

/** The command lines that `runInEnvironment` would use; nothing is started. */
export type SessionPreview = SessionPreviewResult

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

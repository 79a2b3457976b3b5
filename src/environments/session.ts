import {ExitCode, errnoOf} from '../errors.js'
import type {SessionContext, SessionWish} from '../features/feature.js'
import {beforeSession, refuseUnsupported} from '../features/list.js'
import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {AnchorFailedError} from '../sandbox/errors.js'
import type {JoinPlan} from '../sandbox/join-plan.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {planJoin, runSession, type SessionOptions} from '../sandbox/session.js'
import {prepareAnchor} from './anchor-plan.js'
import {anchorEngineFor, engineFor} from './engine.js'
import {joiningParent} from './hand-over.js'
import {openEnvironmentLock, waitForLock} from './locks.js'
import {runByProot} from './proot.js'
import {PASSED_ON, planRequest} from './session-request.js'
import {chooseEnvironment, type Environment, findEnvironment} from './store.js'
import {sessionLauncher} from './toolbox.js'
import {recordUse} from './usage.js'

/**
 * Runs a command, or a login shell, in an environment that is started when it is down.
 *
 * @param text - The environment's name; undefined for the only one there is.
 * @returns The guest's exit status.
 */
export function runInEnvironment(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
  plain?: PlainForm,
): Promise<number> {
  const parent = joiningParent(host)
  return withSession(host, text, {wish, plain}, async (options, environment) => {
    if (await isForProot(host, environment, wish)) {
      await options.waitForLock()
      return runByProot({host, environment, wish}, options)
    }
    if (parent === undefined) return runSession(options)
    parent.tell(await planJoin(options))
    return ExitCode.ok
  })
}

/** Whether there is nothing to join, and proot is all that could be started. */
async function isForProot(host: Host, environment: Environment, {engine}: SessionWish): Promise<boolean> {
  if (readLiveAnchor(environment.files.run) !== undefined) return false
  return (await engineFor(host, engine ?? 'auto', environment)) === 'proot'
}

/** Of a session that asks for nothing but a command, as the next one may too. */
export type PlainForm = {
  /** Text of the user's settings, as it was before they were read; undefined where there are none. */
  readonly settings: string | undefined
}

async function withSession<Result>(
  host: Host,
  text: string | undefined,
  {wish, plain}: {wish: SessionWish; plain: PlainForm | undefined},
  work: (options: SessionOptions, environment: Environment) => Promise<Result>,
): Promise<Result> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files, record} = environment
  const request = planRequest(host, environment, wish)
  const lock = await openEnvironmentLock(host.paths, name)
  try {
    await noteSession({host, environment, wish})
    const filter = buildFilter(
      host.architecture,
      filterSets(record.identity, {elidesSyncs: wish.durable === 'never'}),
    )
    const place = {
      launcher: sessionLauncher(host),
      identity: record.identity,
      architecture: host.architecture,
    }
    const options = {
      name,
      request,
      place,
      filter,
      ...joinPlans({
        ...{place, request, filter, uid: host.uid, folder: files.folder, lock: files.lock},
        plain,
      }),
      lock,
      runFolder: files.run,
      planAnchor: async () => {
        const engine = await anchorEngineFor(host, wish.engine ?? 'auto', environment)
        refuseUnsupported(request, {name, engine})
        return prepareAnchor({host, environment, wish}, engine)
      },
      waitForLock: async () => {
        await waitForLock(host.paths, name, lock, 'shared')
        // Who had the lock may have removed or renamed it.
        await findEnvironment(host.paths, name)
      },
    }
    return await work(options, environment)
  } catch (error) {
    if (!(error instanceof AnchorFailedError)) throw error
    const {explainStart} = await import('./explain-start.js')
    throw await explainStart(host, error, environment)
  } finally {
    lock.release()
  }
}

/** Of this session, and of those like it, which have the host's variables from their own surroundings. */
function joinPlans({
  plain,
  ...own
}: Omit<JoinPlan, 'passedOn' | 'settings'> & {plain: PlainForm | undefined}): Pick<
  SessionOptions,
  'plan' | 'keptPlan'
> {
  const isPassedOn = ({name}: {name: string}) => PASSED_ON.some((passed) => passed === name)
  const variables = own.request.variables.filter((variable) => !isPassedOn(variable))
  return {
    plan: {...own, passedOn: [], settings: undefined},
    keptPlan: plain && {...own, ...plain, passedOn: PASSED_ON, request: {...own.request, variables}},
  }
}

/** Done before the lock is held, so that it may meet a folder that is about to go, or gone. */
async function noteSession(context: SessionContext): Promise<void> {
  const {host, environment} = context
  try {
    await beforeSession(context)
    await recordUse(environment.files.folder, host.now())
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') await findEnvironment(host.paths, environment.name)
    throw error
  }
}

import {closeSync, constants, openSync} from 'node:fs'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import * as v from 'valibot'
import {ignoreFailure, isErrno, limitOf, unlessErrno} from '../../host/errno.js'
import {PerlMissingError} from '../../host/errors.js'
import {makeFolders} from '../../host/files.js'
import {type MapperHost, succeeds} from '../../host/id-mapping.js'
import {requireRoom} from '../../host/machine/limits.js'
import {isMountingRoot, processStartTime} from '../../host/machine/proc.js'
import {requirePerl, scriptWords} from '../../host/process.js'
import {oneOfField} from '../../host/records.js'
import {openTrial, type Trial} from '../../host/trials.js'
import {launchAnchor} from '../anchor.js'
import {type Anchor, parseInfo} from '../anchor-state.js'
import {EngineUnavailableError, NamespaceRefusedError, ToolMissingError} from '../errors.js'
import {type Identity, namespacePrefix} from '../identity.js'
import {filterSets} from '../seccomp/rules.js'
import {type GuestNamespace, type HeldNamespace, holdNamespace} from '../second-namespace.js'
import {baseSpec, type SandboxSpec} from '../spec.js'
import {bwrapEngine} from './bwrap.js'
import type {AnchorEngine, AnchorEngineName} from './engine.js'
import {unshareEngine} from './unshare.js'

/** The engines in the order of preference. */
export const ENGINES = ['bwrap', 'unshare', 'proot'] as const

export type EngineName = (typeof ENGINES)[number]

/** Result of a trial: the kind of user namespace with which an engine works; `only` for a proot that works. */
const verdictField = oneOfField(['second', 'only', 'fails'])
type Verdict = v.InferOutput<typeof verdictField>

const verdictsSchema = v.object({
  bwrap: v.exactOptional(verdictField),
  unshare: v.exactOptional(verdictField),
  proot: v.exactOptional(verdictField),
})
type Verdicts = Readonly<Partial<Record<EngineName, Verdict>>>

/**
 * Returns the engine for starting environments: the first of {@link ENGINES} whose trial succeeds.
 *
 * The cached results are valid until a fact changes that decides about them (`openTrial`).
 *
 * @param options.setting - `auto`, or the only engine to try.
 * @param options.cacheFolder - Made when missing.
 * @throws {EngineUnavailableError}
 */
export async function chooseEngine(
  host: MapperHost,
  {setting, cacheFolder}: {setting: 'auto' | EngineName; cacheFolder: string},
): Promise<EngineName> {
  const trials = engineTrials(host, cacheFolder)
  const known = trials.recall() ?? {}
  const wanted = setting === 'auto' ? ENGINES : [setting]
  const found = wanted.find((name) => known[name] !== 'fails')
  if (found !== undefined && isWorking(known[found])) return found
  const verdicts = await probeInTurn(host, {wanted, known, stage: cacheFolder})
  const working = wanted.find((name) => isWorking(verdicts[name]))
  await trials.remember({...known, ...verdicts})
  if (working === undefined) throw new EngineUnavailableError(setting)
  return working
}

/**
 * Returns the kind of user namespace that an engine gives a guest: a second one, below that of its mounts, unless a trial failed.
 *
 * @param options.cacheFolder - As for {@link chooseEngine}.
 */
export async function guestNamespaceOf(
  host: MapperHost,
  name: AnchorEngineName,
  {cacheFolder}: {cacheFolder: string},
): Promise<GuestNamespace> {
  if (isMountingRoot(host)) return 'of-root'
  const trials = engineTrials(host, cacheFolder)
  const known = trials.recall() ?? {}
  const verdict = known[name] ?? (await probeEngine(host, name, cacheFolder))
  if (known[name] === undefined) await trials.remember({...known, [name]: verdict})
  return verdict === 'second' ? 'second' : 'only'
}

function isWorking(verdict: Verdict | undefined): boolean {
  return verdict === 'second' || verdict === 'only'
}

/** Whether each engine works on this host, by a trial. */
export type EngineVerdicts = Readonly<Record<EngineName, boolean>>

/**
 * Tries all engines, whatever the cache contains, and caches the results.
 *
 * @returns Whether each works, and whether the cache had another result for one.
 */
export async function tryEngines(
  host: MapperHost,
  {cacheFolder}: {cacheFolder: string},
): Promise<{readonly verdicts: EngineVerdicts; readonly wasWrong: boolean}> {
  const trials = engineTrials(host, cacheFolder)
  const known = trials.recall() ?? {}
  const found = {
    bwrap: await probeEngine(host, 'bwrap', cacheFolder),
    unshare: await probeEngine(host, 'unshare', cacheFolder),
    proot: await probeEngine(host, 'proot', cacheFolder),
  }
  await trials.remember(found)
  return {
    verdicts: {
      bwrap: isWorking(found.bwrap),
      unshare: isWorking(found.unshare),
      proot: isWorking(found.proot),
    },
    wasWrong: ENGINES.some((name) => known[name] !== undefined && known[name] !== found[name]),
  }
}

/** Returns the engine of that name. @throws {ToolMissingError} When its program is not on this host. */
export function anchorEngine(host: Pick<MapperHost, 'which'>, name: AnchorEngineName): AnchorEngine {
  const secondNamespace = () => scriptWords(requirePerl(host), 'namespaces/second-namespace')
  if (name === 'bwrap') {
    const program = host.which('bwrap')
    if (program === undefined) throw new ToolMissingError('bwrap', 'bubblewrap')
    return bwrapEngine(program, secondNamespace)
  }
  const perl = requirePerl(host)
  return unshareEngine({
    launcher: scriptWords(perl, 'anchor'),
    keeper: scriptWords(perl, 'boot'),
    secondNamespace,
  })
}

/** Tries engines until one works. Those that failed before come last: they are tried again when no other works. */
async function probeInTurn(
  host: MapperHost,
  {wanted, known, stage}: {wanted: readonly EngineName[]; known: Verdicts; stage: string},
): Promise<Verdicts> {
  const verdicts: Partial<Record<EngineName, Verdict>> = {}
  const inTurn = [...wanted].sort((a, b) => Number(known[a] === 'fails') - Number(known[b] === 'fails'))
  for (const name of inTurn) {
    const before = known[name]
    verdicts[name] = before !== undefined && isWorking(before) ? before : await probeEngine(host, name, stage)
    if (isWorking(verdicts[name])) break
  }
  return verdicts
}

async function probeEngine(host: MapperHost, name: EngineName, cacheFolder: string): Promise<Verdict> {
  requireRoom()
  if (name === 'proot') {
    const program = host.which('proot')
    const works = program !== undefined && (await succeeds([program, '-0', '-r', '/', '/bin/sh', '-c', ':']))
    return works ? 'only' : 'fails'
  }
  for (const namespace of ['second', 'only'] as const)
    if (await engineWorks(host, {name, namespace, cacheFolder})) return namespace
  return 'fails'
}

type EngineAttempt = {
  readonly name: AnchorEngineName
  readonly namespace: 'second' | 'only'
  readonly cacheFolder: string
}

async function engineWorks(
  host: MapperHost,
  {name, namespace, cacheFolder}: EngineAttempt,
): Promise<boolean> {
  try {
    const engine = anchorEngine(host, name)
    const isRoot = isMountingRoot(host)
    const isMade = isRoot || name === 'unshare' || namespace === 'second'
    const userNamespace = {
      guest: isRoot ? ('of-root' as const) : namespace,
      prefix: isMade ? await namespacePrefix('emulated', host) : [],
    }
    const trial = {engine, architecture: host.architecture, userNamespace}
    return await withStage(cacheFolder, (stage) => canStart({...trial, stage}))
  } catch (error) {
    if (error instanceof ToolMissingError || error instanceof PerlMissingError) return false
    throw error
  }
}

/** Calls `work` with a private folder: the cache folder, or a temporary one when the cache folder can't be made. */
async function withStage<T>(cacheFolder: string, work: (stage: string) => Promise<T>): Promise<T> {
  try {
    await makeFolders(cacheFolder, {mode: 0o700})
  } catch (error) {
    ignoreFailure(error)
    const stage = await mkdtemp(join(tmpdir(), 'envs-'))
    return work(stage).finally(() => rm(stage, {recursive: true}))
  }
  return work(cacheFolder)
}

function engineTrials(host: MapperHost, cacheFolder: string): Trial<Verdicts> {
  return openTrial(host, {cacheFolder, name: 'engines', schema: verdictsSchema})
}

/** A setup step that makes a network, and what is tried with the first process, which exists until it is killed. */
type NetworkTrial = {
  readonly step: readonly string[]
  readonly work: (anchor: Anchor) => Promise<boolean>
}

type EngineTrial = Pick<SandboxSpec, 'architecture' | 'userNamespace'> & {
  readonly engine: AnchorEngine
  readonly stage: string
  /** Tries a network of its own. */
  readonly network?: NetworkTrial
}

/**
 * Returns whether an engine works: starts it as for an environment, with the host's tree, read-only, as the guest's.
 *
 * @param trial.stage - A private folder; the trial does not change it.
 */
async function canStart({engine, stage, network, ...place}: EngineTrial): Promise<boolean> {
  const devNull = openSync('/dev/null', constants.O_RDWR)
  const plan = {
    engine,
    name: 'trial',
    runFolder: stage,
    spec: {
      ...baseSpec({
        ...place,
        root: {kind: 'bind', from: '/', at: '/', access: 'ro'},
        hostname: 'trial',
        filterSets: filterSets('emulated'),
      }),
      setup: network === undefined ? [] : [network.step],
    },
    holder: network === undefined ? 'echo ready >&4' : `echo ready >&4; exec sleep ${TRIAL_SECONDS}`,
  }
  const descriptors = {alive: devNull, looks: devNull, devNull}
  let namespace: HeldNamespace | undefined
  try {
    const {guest, prefix} = place.userNamespace
    namespace = guest === 'of-root' ? await holdNamespace(prefix) : undefined
    const {isReady, info} = await launchAnchor(plan, {descriptors, namespace, companions: []})
    return network === undefined || !isReady ? isReady : await tryNetwork(info, network)
  } catch (error) {
    if (error instanceof NamespaceRefusedError) return false
    // For example, a program for another processor (ENOEXEC).
    if (isErrno(error) && limitOf(error) === undefined) return false
    throw error
  } finally {
    namespace?.release()
    closeSync(devNull)
  }
}

async function tryNetwork(info: string, {work}: NetworkTrial): Promise<boolean> {
  const pid = parseInfo(info)
  const startTime = pid === undefined ? undefined : processStartTime(pid)
  if (pid === undefined || startTime === undefined) return false
  try {
    return await work({pid, startTime})
  } finally {
    unlessErrno(() => process.kill(pid, 'SIGKILL'), 'ESRCH')
  }
}

/** Longer than a trial of a network takes: its process ends by itself if this one is killed. */
const TRIAL_SECONDS = 30

/**
 * Tries a network of its own with the engine of an environment, as an environment would start.
 *
 * @param options.stage - A private folder.
 * @returns Whether the network works.
 */
export async function tryOwnNetwork(
  host: MapperHost,
  name: AnchorEngineName,
  {
    identity,
    guest,
    stage,
    network,
  }: {
    readonly identity: Identity
    readonly guest: GuestNamespace
    readonly stage: string
    readonly network: NetworkTrial
  },
): Promise<boolean> {
  requireRoom()
  return canStart({
    engine: anchorEngine(host, name),
    architecture: host.architecture,
    userNamespace: {guest, prefix: await namespacePrefix(identity, host)},
    stage,
    network,
  })
}

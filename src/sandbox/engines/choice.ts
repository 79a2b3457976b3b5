import {readFileSync, statSync} from 'node:fs'
import {mkdtemp, rm} from 'node:fs/promises'
import {release, tmpdir} from 'node:os'
import {join} from 'node:path'
import {errnoOf} from '../../errors.js'
import {PerlMissingError} from '../../host/errors.js'

import {makeFolders} from '../../host/folders.js'
import {type MapperHost, succeeds} from '../../host/id-mapper.js'
import {isMountingRoot} from '../../host/privilege.js'
import {bootId} from '../../host/proc.js'
import {recallVerdict, rememberVerdict} from '../../host/remembered.js'
import {requirePerl, scriptWords} from '../../host/script.js'
import {EngineUnavailableError, ToolMissingError} from '../errors.js'
import {namespacePrefix} from '../ids/identity.js'
import {type GuestNamespace, secondNamespaceWords} from '../second-namespace.js'
import {bwrapEngine} from './bwrap.js'
import type {AnchorEngine, AnchorEngineName} from './engine.js'
import {canStart} from './trial.js'
import {unshareEngine} from './unshare.js'

/** What can enter a tree; the best first. */
export const ENGINES = ['bwrap', 'unshare', 'proot'] as const

export type EngineName = (typeof ENGINES)[number]

/** What a trial came to: with which user namespace an engine gives a guest it works; proot has no layers. */
type Verdict = 'second' | 'only' | 'fails'

type Verdicts = Readonly<Partial<Record<EngineName, Verdict>>>

/** Settings of the kernel that decide about user namespaces. */
const SWITCHES = [
  '/proc/sys/user/max_user_namespaces',
  '/proc/sys/kernel/unprivileged_userns_clone',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
]

/**
 * The engine to start an environment with: the first of {@link ENGINES} that a trial of it succeeds with.
 *
 * What trials came to is kept until the kernel, the boot or a program is another.
 *
 * @param options.setting - `auto`, or the only one to be taken.
 * @param options.cacheFolder - Made when missing.
 * @throws {EngineUnavailableError}
 */
export async function chooseEngine(
  host: MapperHost,
  {setting, cacheFolder}: {setting: 'auto' | EngineName; cacheFolder: string},
): Promise<EngineName> {
  const key = conditions(host)
  const path = join(cacheFolder, 'engines.json')
  const known = recallVerdicts(path, key)
  const wanted = setting === 'auto' ? ENGINES : [setting]
  const found = wanted.find((name) => known[name] !== 'fails')
  if (found !== undefined && isWorking(known[found])) return found
  const verdicts = await tryInTurn(host, {wanted, known, stage: cacheFolder})
  const working = wanted.find((name) => isWorking(verdicts[name]))
  await rememberVerdict(path, key, {...known, ...verdicts})
  if (working === undefined) throw new EngineUnavailableError(setting)
  return working
}

/**
 * The user namespace that an engine gives a guest here: one of its own below that of its mounts, unless a trial of that failed.
 *
 * @param options.cacheFolder - As of {@link chooseEngine}.
 */
export async function guestNamespaceOf(
  host: MapperHost,
  name: AnchorEngineName,
  {cacheFolder}: {cacheFolder: string},
): Promise<GuestNamespace> {
  if (isMountingRoot(host)) return 'of-root'
  const key = conditions(host)
  const path = join(cacheFolder, 'engines.json')
  const known = recallVerdicts(path, key)
  const verdict = known[name] ?? (await tryOut(host, name, cacheFolder))
  if (known[name] === undefined) await rememberVerdict(path, key, {...known, [name]: verdict})
  return verdict === 'second' ? 'second' : 'only'
}

/** What comes before an engine that is to give its guest such a namespace, behind what makes the upper one. */
export function guestNamespaceWords(
  host: Pick<MapperHost, 'which' | 'architecture'>,
  namespace: GuestNamespace,
): string[] {
  if (namespace !== 'second') return []
  return secondNamespaceWords(scriptWords(requirePerl(host), 'second-namespace'), host.architecture)
}

function isWorking(verdict: Verdict | undefined): boolean {
  return verdict === 'second' || verdict === 'only'
}

/** What trials of all engines come to now; kept as the answer for later. */
export async function tryEngines(
  host: MapperHost,
  {cacheFolder}: {cacheFolder: string},
): Promise<Record<EngineName, boolean>> {
  const verdicts = {
    bwrap: await tryOut(host, 'bwrap', cacheFolder),
    unshare: await tryOut(host, 'unshare', cacheFolder),
    proot: await tryOut(host, 'proot', cacheFolder),
  }
  await rememberVerdict(join(cacheFolder, 'engines.json'), conditions(host), verdicts)
  return {
    bwrap: isWorking(verdicts.bwrap),
    unshare: isWorking(verdicts.unshare),
    proot: isWorking(verdicts.proot),
  }
}

/** @throws {ToolMissingError} When its program is not on this host. */
export function anchorEngine(
  host: Pick<MapperHost, 'which' | 'architecture'>,
  name: AnchorEngineName,
): AnchorEngine {
  if (name === 'bwrap') {
    const program = host.which('bwrap')
    if (program === undefined) throw new ToolMissingError('bwrap', 'bubblewrap')
    return bwrapEngine(program)
  }
  return unshareEngine({launcher: scriptWords(requirePerl(host), 'anchor'), architecture: host.architecture})
}

/** Those known to fail come last: they are asked anew when nothing else works. */
async function tryInTurn(
  host: MapperHost,
  {wanted, known, stage}: {wanted: readonly EngineName[]; known: Verdicts; stage: string},
): Promise<Verdicts> {
  const verdicts: Partial<Record<EngineName, Verdict>> = {}
  const inTurn = [...wanted].sort((a, b) => Number(known[a] === 'fails') - Number(known[b] === 'fails'))
  for (const name of inTurn) {
    const before = known[name]
    verdicts[name] = before !== undefined && isWorking(before) ? before : await tryOut(host, name, stage)
    if (isWorking(verdicts[name])) break
  }
  return verdicts
}

async function tryOut(host: MapperHost, name: EngineName, cacheFolder: string): Promise<Verdict> {
  if (name === 'proot') {
    const program = host.which('proot')
    const works = program !== undefined && (await succeeds([program, '-0', '-r', '/', '/bin/sh', '-c', ':']))
    return works ? 'only' : 'fails'
  }
  for (const namespace of ['second', 'only'] as const)
    if (await works(host, {name, namespace, cacheFolder})) return namespace
  return 'fails'
}

type Attempt = {
  readonly name: AnchorEngineName
  readonly namespace: 'second' | 'only'
  readonly cacheFolder: string
}

async function works(host: MapperHost, {name, namespace, cacheFolder}: Attempt): Promise<boolean> {
  try {
    const engine = anchorEngine(host, name)
    const isRoot = isMountingRoot(host)
    const isMade = isRoot || name === 'unshare' || namespace === 'second'
    const trial = {
      engine,
      architecture: host.architecture,
      guestNamespace: isRoot ? ('of-root' as const) : namespace,
      namespacePrefix: isMade
        ? [
            ...(await namespacePrefix('emulated', host)),
            ...(isRoot ? [] : guestNamespaceWords(host, namespace)),
          ]
        : [],
    }
    return await withStage(cacheFolder, (stage) => canStart({...trial, stage}))
  } catch (error) {
    if (error instanceof ToolMissingError || error instanceof PerlMissingError) return false
    throw error
  }
}

/** A folder of ours: the one of the cache, or another for now where there can be none. */
async function withStage<T>(cacheFolder: string, work: (stage: string) => Promise<T>): Promise<T> {
  try {
    await makeFolders(cacheFolder, {mode: 0o700})
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    const stage = await mkdtemp(join(tmpdir(), 'envs-'))
    return work(stage).finally(() => rm(stage, {recursive: true}))
  }
  return work(cacheFolder)
}

function conditions(host: Pick<MapperHost, 'which' | 'uid'>): string {
  const programs = ['bwrap', 'unshare', 'perl', 'proot'].map((name) => programFacts(host.which(name)))
  return [release(), bootId(), host.uid, ...SWITCHES.map(readSwitch), ...programs].join(' ')
}

function programFacts(path: string | undefined): string {
  if (path === undefined) return '-'
  const {size, mtimeMs} = statSync(path)
  return [path, size, mtimeMs].join(':')
}

function readSwitch(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return '-'
  }
}

function isVerdict(value: unknown): value is Verdict {
  return value === 'second' || value === 'only' || value === 'fails'
}

function recallVerdicts(path: string, key: string): Verdicts {
  const known = recallVerdict(path, key)
  if (typeof known !== 'object' || known === null) return {}
  return Object.fromEntries(Object.entries(known).filter(([, verdict]) => isVerdict(verdict)))
}

import {closeSync, constants, openSync, readFileSync, readSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {release} from 'node:os'
import {join} from 'node:path'
import type * as v from 'valibot'
import {fileFacts, openMemory, probeOnce} from './cache.js'
import {ignoreFailure, unlessErrno} from './errno.js'
import type {Host} from './host.js'
import {
  findIdMapper,
  type IdMapper,
  type MapperHost,
  type MappingProbe,
  probeMapped,
  unshareMapper,
} from './id-mapping.js'
import {oneOfField, type RecordOf} from './records.js'

/** Files in the cache folder with the results of trials of the host. */
const FILES = {
  engines: 'engines.json',
  mapping: 'id-mapping.json',
  'mapped-ids': 'mapped-ids.json',
  root: 'root.json',
  'overlay-mapped': 'overlay-mapped.json',
  'overlay-emulated': 'overlay-emulated.json',
  'memory-mapped': 'memory-mapped.json',
  'memory-emulated': 'memory-emulated.json',
  cgroups: 'cgroups.json',
  'network-mapped': 'network-mapped.json',
  'network-emulated': 'network-emulated.json',
} as const

/** Circumstances that are remembered at a time: a terminal and a service may differ in what they are allowed to do. */
const MOST_CIRCUMSTANCES = 4

/** The result of a trial of the host, remembered with all facts that decide about it. */
export type Trial<Result> = {
  /** @returns undefined if nothing was remembered under the present circumstances. */
  recall(): Result | undefined
  remember(result: Result): Promise<void>
  forget(): Promise<void>
  /** Returns the remembered result, or runs the trial and remembers its result. */
  once(probe: () => Promise<Result>): Promise<Result>
  /** Runs the trial in any case. @returns Its result, and whether another one was remembered. */
  anew(probe: () => Promise<Result>): Promise<{readonly result: Result; readonly wasWrong: boolean}>
}

/**
 * Opens what a trial came to. The facts of the host are read once a command, before its first trial: if they change later,
 * the next command repeats the trial.
 *
 * @param options.facts - What the result depends on besides the facts of the host.
 */
export function openTrial<Schema extends v.GenericSchema<unknown, unknown>>(
  host: MapperHost,
  {
    cacheFolder,
    name,
    schema,
    facts = [],
  }: {
    readonly cacheFolder: string
    readonly name: keyof typeof FILES
    readonly schema: Schema
    readonly facts?: readonly (string | number)[]
  },
): Trial<RecordOf<Schema>> {
  const memory = openMemory(join(cacheFolder, FILES[name]), {schema, most: MOST_CIRCUMSTANCES})
  const key = [factsOfHost(host), ...facts].join('\n')
  return {
    recall: () => memory.recall(key),
    remember: (result) => memory.remember(key, result),
    forget: () => memory.forget(key),
    once: (probe) => probeOnce(memory, key, probe),
    async anew(probe) {
      const known = memory.recall(key)
      const result = await probe()
      await memory.remember(key, result)
      return {result, wasWrong: known !== undefined && known !== result}
    },
  }
}

/** Forgets the results of all trials, so that each is repeated when it is needed next. */
export async function forgetTrials(cacheFolder: string): Promise<void> {
  for (const file of Object.values(FILES))
    await rm(join(cacheFolder, file), {force: true}).catch(ignoreFailure)
}

/** Programs that make namespaces, map ids and mount. */
const PROGRAMS = ['bwrap', 'unshare', 'newuidmap', 'newgidmap', 'perl', 'proot', 'mount', 'nsenter'] as const

/** Files of the kernel and of this process that decide what a user namespace may do. */
const KERNEL_FACTS = [
  '/proc/sys/kernel/random/boot_id',
  ...['user', 'mnt', 'pid', 'ipc', 'uts', 'cgroup'].map((kind) => `/proc/sys/user/max_${kind}_namespaces`),
  '/proc/sys/kernel/unprivileged_userns_clone',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_unconfined',
  '/proc/self/uid_map',
  '/proc/self/attr/current',
]

/** Lines of /proc/self/status that limit this process and its children. */
const STATUS_FACTS = /^(?:NoNewPrivs|Seccomp|CapBnd):.*$/gm

/** A start opens six trials, and reading the facts takes more than a millisecond. */
const FACTS = new WeakMap<MapperHost, string>()

/**
 * Returns everything that decides what a trial comes to, as far as it can be read: one list for all trials, because a
 * trial that is repeated needlessly costs less than a result that is wrong.
 */
function factsOfHost(host: MapperHost): string {
  const known = FACTS.get(host)
  if (known !== undefined) return known
  const facts = readFacts(host).join('\n')
  FACTS.set(host, facts)
  return facts
}

function readFacts({which, uid, gid}: MapperHost): string[] {
  const status = readIfReadable('/proc/self/status') ?? ''
  return [
    ...[release(), String(uid), String(gid)],
    ...[...KERNEL_FACTS.map(readIfReadable), apparmorRevision()].map((fact) => fact?.trim() ?? '-'),
    ...(status.match(STATUS_FACTS) ?? []),
    ...['/etc/subuid', '/etc/subgid', ...PROGRAMS.map(which)].map(fileFacts),
  ]
}

function readIfReadable(path: string): string | undefined {
  return unlessErrno(() => readFileSync(path, 'utf8'))
}

/** Counts the changes of AppArmor's policy in the kernel. */
const REVISION = '/sys/kernel/security/apparmor/revision'

/** Longer than the number, so that one read takes all of it. */
const REVISION_BYTES = 64

/**
 * Returns the revision of AppArmor's policy; undefined where it can't be read. The first read of the file has the number;
 * the second would wait for the next change of the policy.
 */
function apparmorRevision(): string | undefined {
  return unlessErrno(() => {
    const fd = openSync(REVISION, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const bytes = Buffer.alloc(REVISION_BYTES)
      return bytes.toString('latin1', 0, readSync(fd, bytes))
    } finally {
      closeSync(fd)
    }
  })
}

/** `cache`: folder of remembered results; without it each trial is repeated. */
export type KnowingHost = MapperHost & {readonly paths?: Pick<Host['paths'], 'cache'>}

/** Tries to map ids, unless that succeeded before under the same circumstances. */
export async function findMapping(host: KnowingHost): Promise<MappingProbe> {
  const way = recallMapper(host)
  return way === undefined ? (await tryMapping(host)).probe : {works: true, way}
}

/** Tries to map ids in any case, and remembers the result. @returns It, and whether another one was remembered. */
export async function tryMapping(
  host: KnowingHost,
): Promise<{readonly probe: MappingProbe; readonly wasWrong: boolean}> {
  const trial = mappingTrial(host)
  const known = trial?.recall()
  const probe = await probeMapped(host)
  if (probe.works) await trial?.remember(probe.way)
  else if (known !== undefined) await trial?.forget()
  return {probe, wasWrong: known !== undefined && !(probe.works && probe.way === known)}
}

/** Returns the id mapper as `findIdMapper` does, without a run of unshare(1) if its options are known. */
export async function knownIdMapper(host: KnowingHost): Promise<IdMapper | undefined> {
  const unshare = recallMapper(host) === 'unshare' ? host.which('unshare') : undefined
  return unshare === undefined ? findIdMapper(host) : unshareMapper(unshare)
}

/** Returns a remembered success. Failures are never remembered, so the next command notices a repaired host. */
function recallMapper(host: KnowingHost): IdMapper['way'] | undefined {
  return mappingTrial(host)?.recall()
}

function mappingTrial(host: KnowingHost) {
  if (host.paths === undefined) return undefined
  return openTrial(host, {
    cacheFolder: host.paths.cache,
    name: 'mapping',
    schema: oneOfField(['unshare', 'newuidmap']),
  })
}

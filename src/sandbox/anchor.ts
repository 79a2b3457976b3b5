import type {ChildProcess} from 'node:child_process'
import {closeSync, constants, existsSync, openSync, rmSync} from 'node:fs'
import type {Duplex, Writable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import {isErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import {isLockFree, type Lock, lockHolders, takeLock} from '../host/locks.js'
import {processStartTime} from '../host/machine/proc.js'
import {templatePath, templateText} from '../host/paths.js'
import {capture, endGroupOfFailed, pipeOf, start, started} from '../host/process.js'
import {
  type Anchor,
  anchorFiles,
  type GuestInit,
  parseInfo,
  readLiveAnchor,
  recordAnchor,
} from './anchor-state.js'
import {coverStrays, GUEST_PATH} from './constants.js'
import {type AnchorEngine, AnchorFd} from './engines/engine.js'
import {AnchorFailedError, anchorUnreachableError} from './errors.js'
import {buildFilter} from './seccomp/filter.js'
import {type HeldNamespace, holdNamespace} from './second-namespace.js'
import type {OpenCompanion, SandboxSpec} from './spec.js'

const POLL_MS = 5
/** Limit for a start: milliseconds are usual, a host that swaps needs seconds. */
const START_DEADLINE_MS = 15_000
/** Longer than the keeper takes to notice the end of the environment, and to end itself. */
const RELEASE_MS = 2000

/**
 * Returns the environment's running anchor; starts one when there is none.
 *
 * One of several callers starts the anchor under the liveness lock, which the keeper then holds. The others wait for the state
 * file, which the starting caller writes after the holder reported that the guest's root is mounted. So one tree is never in two
 * mount namespaces, and no session joins an incomplete guest. If that caller is killed before, the environment ends by itself,
 * because it has no session.
 *
 * @param plan - Called under the lock, when no process of the environment exists.
 * @throws {AnchorFailedError} @throws {@link anchorUnreachableError}
 */
export async function ensureAnchor(
  {name, runFolder}: Pick<AnchorPlan, 'name' | 'runFolder'>,
  plan: () => Promise<AnchorPlan>,
): Promise<Anchor> {
  await makeFolders(runFolder, {mode: 0o700})
  const begun = Date.now()
  while (Date.now() - begun < START_DEADLINE_MS) {
    const live = readLiveAnchor(runFolder)
    if (live !== undefined) return live
    const lock = await takeLock(anchorFiles(runFolder).liveness, {mode: 'exclusive', waitMs: 0})
    if (lock !== undefined) return await launch(lock, plan).finally(() => lock.release())
    await sleep(POLL_MS)
  }
  throw anchorUnreachableError(name, await lockHolders(anchorFiles(runFolder).liveness))
}

async function launch(lock: Lock, plan: () => Promise<AnchorPlan>): Promise<Anchor> {
  return startAnchor(await plan(), lock)
}

/** Returns whether a process of the environment exists, according to its state file and its liveness lock. */
export async function isRunning(runFolder: string): Promise<boolean> {
  if (readLiveAnchor(runFolder) !== undefined) return true
  return !(await isReleased(runFolder))
}

/** Returns whether the keeper has released the liveness lock; waits, because it does so soon after the environment's end. */
export async function isReleased(runFolder: string): Promise<boolean> {
  const begun = Date.now()
  try {
    while (!(await isLockFree(anchorFiles(runFolder).liveness))) {
      if (readLiveAnchor(runFolder) !== undefined || Date.now() - begun > RELEASE_MS) return false
      await sleep(POLL_MS)
    }
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    throw error
  }
}

export type AnchorPlan = {
  readonly name: string
  readonly spec: SandboxSpec
  readonly engine: AnchorEngine
  /** Folder of the run-time state; made when missing. */
  readonly runFolder: string
  /** Text of a shell script that replaces the holder. */
  readonly holder?: string
}

/** Returns the command line of an anchor, and the options that are written to a descriptor. */
export async function anchorWords(plan: AnchorPlan): Promise<{command: string[]; options: string[]}> {
  const {engine, spec, runFolder} = plan
  return {
    command: await engine.command(spec, plan.holder ?? (await templateText('guest/holder.sh'))),
    options: engine.options(spec, runFolder),
  }
}

/**
 * Starts the anchor, and a keeper outside of the environment that holds the lock until the environment ends.
 *
 * @returns When the holder runs: the guest's root is mounted, and sessions can join.
 * @throws {AnchorFailedError}
 */
export async function startAnchor(plan: AnchorPlan, liveness: Lock): Promise<Anchor> {
  const {runFolder, spec} = plan
  const {guest, prefix} = spec.userNamespace
  const {hold, alive, looks, boot} = anchorFiles(runFolder)
  const companionFifos = spec.companions.flatMap((companion) => companion.prepare())
  // New FIFOs for each start: a guest of an earlier version may have changed the old ones.
  for (const path of [hold, alive, looks, boot]) rmSync(path, {force: true, recursive: true})
  await makeFifos([hold, alive, looks, ...companionFifos])
  const companions = spec.companions.flatMap((companion) => companion.open() ?? [])
  const descriptors = openDescriptors(runFolder)
  const namespace = guest === 'of-root' ? await holdNamespace(prefix) : undefined
  try {
    const kind = spec.boot === undefined ? 'environment' : 'script'
    startKeeper({kind, liveness, ...descriptors, ...(spec.init === undefined ? {} : {endState: boot})})
    const report = await launchAnchor(plan, {descriptors, namespace, companions})
    const anchor = await whenReady(plan, report, companions).catch((error: unknown) => {
      endUnready(report.info)
      throw error
    })
    if (anchor !== undefined) return anchor
    endUnready(report.info)
    throw new AnchorFailedError(plan.name, lastLine(report.log))
  } finally {
    for (const fd of Object.values(descriptors)) closeSync(fd)
    namespace?.release()
    for (const companion of companions) companion.close()
  }
}

/** Records an environment that is ready, so that sessions may join it; undefined when it is not ready. */
async function whenReady(
  {runFolder, spec}: AnchorPlan,
  {isReady, info}: StartReport,
  companions: readonly OpenCompanion[],
): Promise<Anchor | undefined> {
  const pid = parseInfo(info)
  if (!isReady || pid === undefined) return undefined
  const startTime = processStartTime(pid)
  if (startTime !== undefined) for (const companion of companions) await companion.started?.({pid, startTime})
  const {guest: guestNamespace} = spec.userNamespace
  return recordAnchor(runFolder, info, {
    guestNamespace,
    init: initOfSpec(spec),
    network: spec.ownNetwork,
  })
}

function initOfSpec({boot, init}: SandboxSpec): GuestInit | undefined {
  if (boot !== undefined) return 'systemd'
  return init === undefined ? undefined : 'services'
}

type Descriptors = ReturnType<typeof openDescriptors>

/** Opens the FIFOs of this start and unlinks them, so that a guest's use of a descriptor can't affect the next start. */
function openDescriptors(runFolder: string) {
  const {hold, alive, looks} = anchorFiles(runFolder)
  const {O_RDWR, O_RDONLY, O_WRONLY} = constants
  // Open for reading and writing first: opening one end alone blocks, or fails without a process at the other end (fifo(7)).
  const both = [hold, alive, looks].map((path) => openSync(path, O_RDWR))
  const opened = {
    hold: openSync(hold, O_RDONLY),
    aliveReader: openSync(alive, O_RDONLY),
    alive: openSync(alive, O_WRONLY),
    looks: openSync(looks, O_RDONLY),
    looksWriter: openSync(looks, O_WRONLY),
    devNull: openSync('/dev/null', O_RDWR),
  }
  const [writer, ...others] = both
  for (const fd of others) closeSync(fd)
  for (const path of [alive, looks]) rmSync(path, {force: true})
  // Keep a writer of `hold` open, so that the keeper does not report the lack of sessions yet.
  return {...opened, ...(writer === undefined ? {} : {writer})}
}

type Inheritance = {
  readonly descriptors: Pick<Descriptors, 'alive' | 'looks' | 'devNull'>
  readonly namespace: HeldNamespace | undefined
  readonly companions: readonly OpenCompanion[]
}

/** Result of a start. */
export type StartReport = {
  /** Whether the holder, which runs in the guest's namespaces, reported readiness. */
  readonly isReady: boolean
  /** Text of the engine's info descriptor. */
  readonly info: string
  /** Beginning of standard error; untrusted, because the guest's /bin/sh writes there too. */
  readonly log: string
}

/** Starts the engine and waits for the holder. @throws {NodeJS.ErrnoException} When the first program can't be started. */
export async function launchAnchor(
  plan: AnchorPlan,
  {descriptors, namespace, companions}: Inheritance,
): Promise<StartReport> {
  const {command, options} = await anchorWords(plan)
  const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', 'ignore', 'pipe']
  stdio[AnchorFd.info] = 'pipe'
  stdio[AnchorFd.ready] = 'pipe'
  stdio[AnchorFd.looks] = descriptors.looks
  stdio[AnchorFd.alive] = descriptors.alive
  stdio[AnchorFd.options] = 'pipe'
  stdio[AnchorFd.filter] = 'pipe'
  stdio[AnchorFd.userNamespace] = namespace?.fd ?? descriptors.devNull
  for (const {writer} of companions) if (writer !== undefined) stdio[AnchorFd.requests] = writer
  const child = start(command, {
    detached: true,
    // bwrap stays on the host: the caller's working folder would be busy for umount(8).
    cwd: '/',
    env: {PATH: GUEST_PATH},
    stdio: coverStrays(stdio, descriptors.devNull),
  })
  const forget = endGroupOfFailed(child)
  await started(child)
  child.unref()
  const [words, filter] = [pipeOf(child, AnchorFd.options), pipeOf(child, AnchorFd.filter)]
  feed(words, options.map((option) => `${option}\0`).join(''))
  feed(filter, buildFilter(plan.spec.architecture, plan.spec.filterSets))
  for (const companion of companions)
    companion.launched?.({runFolder: plan.runFolder, devNull: descriptors.devNull})
  const [ready, info, log] = [AnchorFd.ready, AnchorFd.info, 2].map((fd) => collect(pipeOf(child, fd)))
  if (ready === undefined || info === undefined || log === undefined) throw new Error('no pipes')
  let isReady = false
  try {
    isReady =
      (await ready.has(isSomething, START_DEADLINE_MS)) && (await info.has(namesProcess, START_DEADLINE_MS))
    return {isReady, info: info.text(), log: log.text()}
  } finally {
    forget()
    if (isReady && plan.engine.leavesMonitor) endMonitor(child)
    for (const each of [ready, info, log]) each.close()
    // Read by now, or never: this process would wait for another one that has them open.
    for (const each of [words, filter]) each.destroy()
  }
}

/**
 * Ends the process of an engine that only waits for pid 1, to pass on a status that nobody reads: it would take memory for as long as
 * the environment runs. Pid 1 does not depend on it, and the keeper sees the end of the environment. Call it when pid 1 is ready: before,
 * pid 1 may wait for that process.
 */
function endMonitor(child: ChildProcess): void {
  // Emitted if the kernel refuses the signal: then it stays.
  child.once('error', () => {})
  child.kill('SIGKILL')
}

/** Makes FIFOs with mode 0600; existing ones are kept. */
export async function makeFifos(paths: readonly string[]): Promise<void> {
  const {status} = await capture(['mkfifo', '-m', '600', ...paths])
  const missing = paths.find((path) => !existsSync(path))
  // Status 1 is also that of FIFOs that exist.
  if (status <= 1 && missing === undefined) return
  if (missing !== undefined) makeAndRemove(missing)
  throw new Error(`mkfifo(1) ended with status ${status} on ${paths.join(', ')}`)
}

/** Makes a file for a moment: mkfifo(1) reports no errno, and a full disk has the same one for a file. @throws {NodeJS.ErrnoException} */
function makeAndRemove(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
  rmSync(path)
}

function feed(pipe: Writable, data: string | Uint8Array): void {
  // The engine may end before it reads (EPIPE); its exit is handled elsewhere.
  pipe.on('error', () => {})
  pipe.end(data)
}

/** Limit for text of the pipes, which the guest may have written. */
const MAX_TEXT_BYTES = 4096

type PipeText = {
  /** Waits for enough text. Returns false when the pipe closes before that, because all its writers have ended. */
  has(isEnough: (text: string) => boolean, deadlineMs: number): Promise<boolean>
  text(): string
  close(): void
}

function collect(pipe: Duplex): PipeText {
  let text = ''
  pipe.on('data', (piece) => {
    if (text.length < MAX_TEXT_BYTES) text += String(piece)
  })
  pipe.on('error', () => {})
  return {
    async has(isEnough, deadlineMs) {
      const signal = AbortSignal.timeout(deadlineMs)
      const late = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      const over = new Promise<void>((resolve) => pipe.once('close', () => resolve()))
      while (!isEnough(text) && !pipe.destroyed && !signal.aborted)
        await Promise.race([late, over, new Promise((resolve) => pipe.once('data', resolve))])
      return isEnough(text)
    },
    text: () => text.slice(0, MAX_TEXT_BYTES),
    close: () => pipe.destroy(),
  }
}

const isSomething = (text: string) => text !== ''

const namesProcess = (text: string) => parseInfo(text) !== undefined

function lastLine(log: string): string {
  return log.trim().split('\n').at(-1)?.slice(0, 400) ?? ''
}

/** Kills an anchor that was not ready in time: it would block the lock, and no session can have joined it. */
function endUnready(info: string): void {
  const pid = parseInfo(info)
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  } catch {
    // The process has ended already.
  }
}

type KeptProcess = {
  readonly liveness: Lock
  /** Reading end of the FIFO that the first process of the environment keeps open for writing. */
  readonly aliveReader: number
  readonly devNull: number
  /** File for the status with which the supervisor of services says that it ends. */
  readonly endState?: string
}

/** For an environment with a holder, which the keeper notifies when there are no sessions. */
type KeptEnvironment = KeptProcess & {readonly looksWriter: number; readonly hold: number}

/**
 * Starts the keeper, a process that holds the lock until the environment has ended; see templates/host/keeper.sh.
 *
 * No process of the environment has the lock: the guest's root could open its descriptor again through /proc, lock it and pass it on.
 */
export function startKeeper(
  kept: ({readonly kind: 'environment'} & KeptEnvironment) | ({readonly kind: 'script'} & KeptProcess),
): void {
  const {aliveReader, devNull, liveness, endState} = kept
  const [role, looks, hold] =
    kept.kind === 'environment' ? ['holder', kept.looksWriter, kept.hold] : ['script', devNull, devNull]
  const stdio = ['ignore', 'ignore', 'ignore', aliveReader, looks, hold, liveness.fd] as const
  const words = ['/bin/sh', templatePath('host/keeper.sh'), String(role)]
  const child = start(endState === undefined ? words : [...words, endState], {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin'},
    // In a process group of its own: Ctrl-C at the terminal of the first session must not end the keeper.
    detached: true,
    stdio: coverStrays([...stdio], devNull),
  })
  // Without a keeper the lock is released when this process ends; the state file still names the running environment.
  child.on('error', () => {})
  child.unref()
}

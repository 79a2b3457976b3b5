import {closeSync, constants, openSync, readSync} from 'node:fs'
import type {Duplex, Writable} from 'node:stream'
import type {Lock} from '../host/flock.js'
import {templateText} from '../host/paths.js'
import {capture, pipeOf, start, started} from '../host/process.js'
import {type Anchor, anchorFiles, recordAnchor} from './anchor-state.js'
import {coverStrays} from './cover-strays.js'
import {type AnchorEngine, AnchorFd, type AnchorOptions} from './engines/engine.js'
import {AnchorFailedError} from './errors.js'
import {GUEST_PATH} from './guest-path.js'
import {clearRequests, openRequests, type RequestChannel, type RestoreRequests} from './restore-requests.js'
import {type HeldNamespace, holdNamespace} from './second-namespace.js'

export type AnchorPlan = Omit<AnchorOptions, 'stage'> & {
  readonly name: string
  readonly engine: AnchorEngine
  /** Folder of the run-time state; made when missing. */
  readonly runFolder: string
  /** Classic BPF for the holder and so for all that it starts. */
  readonly filter: Uint8Array
  /** Undefined for an environment that has no points to go back to. */
  readonly restoreRequests: RestoreRequests | undefined
  /** Text of a shell script in the place of the holder's. */
  readonly holder?: string
}

/** Longest a start may take; milliseconds are usual, a machine that swaps needs seconds. */
export const START_DEADLINE_MS = 15_000

/**
 * The command line of an anchor, and what it is told on a descriptor.
 *
 * For root, the engine runs as root and is handed the namespace instead of being in it.
 */
export async function anchorWords(plan: AnchorPlan): Promise<{command: string[]; options: string[]}> {
  const {engine, isMountingRoot, namespacePrefix, runFolder} = plan
  const command = await engine.command(plan.holder ?? (await templateText('guest/holder.sh')))
  return {
    command: [...(isMountingRoot ? [] : namespacePrefix), ...command],
    options: engine.options({...plan, stage: runFolder}),
  }
}

/**
 * Starts the anchor, which keeps the lock it is handed.
 *
 * @returns When its holder runs: the guest's root is in place, and sessions can join.
 * @throws {AnchorFailedError}
 */
export async function startAnchor(plan: AnchorPlan, liveness: Lock): Promise<Anchor> {
  const {restoreRequests} = plan
  const requestFifos = restoreRequests === undefined ? [] : clearRequests(restoreRequests)
  await makeFifos([anchorFiles(plan.runFolder).hold, ...requestFifos])
  const requests = restoreRequests === undefined ? undefined : openRequests(restoreRequests)
  const descriptors = openDescriptors(plan.runFolder)
  const namespace = plan.isMountingRoot ? await holdNamespace(plan.namespacePrefix) : undefined
  try {
    const isReady = await launchAnchor(plan, {descriptors, liveness, namespace, requests})
    const anchor = isReady ? await recordAnchor(plan.runFolder) : undefined
    if (anchor === undefined) throw new AnchorFailedError(plan.name, lastLine(descriptors.log))
    return anchor
  } finally {
    for (const fd of Object.values(descriptors)) closeSync(fd)
    namespace?.release()
    requests?.close()
  }
}

type Descriptors = ReturnType<typeof openDescriptors>

function openDescriptors(runFolder: string) {
  const {hold, info, log} = anchorFiles(runFolder)
  const {O_RDWR, O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_APPEND} = constants
  return {
    // A writer of our own first: a FIFO's reader waits for one, and the holder must not see "nobody" yet.
    writer: openSync(hold, O_RDWR),
    hold: openSync(hold, O_RDONLY),
    log: openSync(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0o600),
    info: openSync(info, O_WRONLY | O_CREAT | O_TRUNC, 0o600),
    devNull: openSync('/dev/null', O_RDONLY),
  }
}

type Inheritance = {
  readonly descriptors: Descriptors
  readonly liveness: Lock
  readonly namespace: HeldNamespace | undefined
  readonly requests: RequestChannel | undefined
}

/** @returns Whether the holder reported. @throws {NodeJS.ErrnoException} When the first program can't be started. */
export async function launchAnchor(
  plan: AnchorPlan,
  {descriptors, liveness, namespace, requests}: Inheritance,
): Promise<boolean> {
  const {command, options} = await anchorWords(plan)
  const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', descriptors.log, descriptors.log]
  stdio[AnchorFd.info] = descriptors.info
  stdio[AnchorFd.ready] = 'pipe'
  stdio[AnchorFd.hold] = descriptors.hold
  stdio[AnchorFd.liveness] = liveness.fd
  stdio[AnchorFd.options] = 'pipe'
  stdio[AnchorFd.filter] = 'pipe'
  if (namespace !== undefined) stdio[AnchorFd.userNamespace] = namespace.fd
  if (requests !== undefined) stdio[AnchorFd.requests] = requests.writer
  const child = start(command, {
    detached: true,
    // bwrap stays on the host, and would keep the caller's folder from being unmounted.
    cwd: '/',
    env: {PATH: GUEST_PATH},
    stdio: coverStrays(stdio, descriptors.devNull),
  })
  await started(child)
  child.unref()
  feed(pipeOf(child, AnchorFd.options), options.map((option) => `${option}\0`).join(''))
  feed(pipeOf(child, AnchorFd.filter), plan.filter)
  requests?.listen(plan.runFolder, descriptors.devNull)
  return sawReady(pipeOf(child, AnchorFd.ready))
}

async function makeFifos(paths: readonly string[]): Promise<void> {
  const made = await capture(['mkfifo', '-m', '600', ...paths])
  // Status 1 is "there already" for all but the first start; opening it tells the rest.
  if (made.status > 1) throw new Error(`mkfifo(1) ended with status ${made.status} on ${paths.join(', ')}`)
}

function feed(pipe: Writable, data: string | Uint8Array): void {
  // The engine may have given up before it read: its end says so.
  pipe.on('error', () => {})
  pipe.end(data)
}

/** One line arrives when the holder runs; the end of the pipe without it means that all who had it are gone. */
async function sawReady(pipe: Duplex): Promise<boolean> {
  const timer = setTimeout(() => pipe.emit('end'), START_DEADLINE_MS)
  try {
    return await new Promise((resolve, reject) => {
      pipe.once('data', () => resolve(true))
      pipe.once('end', () => resolve(false))
      pipe.once('error', reject)
    })
  } finally {
    clearTimeout(timer)
  }
}

/** A guest's own /bin/sh may have written the log: no more than its beginning is looked at. */
const MAX_LOG_BYTES = 4096

function lastLine(log: number): string {
  const start = Buffer.alloc(MAX_LOG_BYTES)
  const text = start.toString('utf8', 0, readSync(log, start, 0, start.length, 0))
  return text.trim().split('\n').at(-1)?.slice(0, 400) ?? ''
}

import {closeSync, constants, openSync} from 'node:fs'
import {mkdir, readFile} from 'node:fs/promises'
import type {Duplex, Writable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import {errnoOf} from '../errors.js'
import {isLockFree, type Lock, takeLock} from '../host/flock.js'
import {templateText} from '../host/paths.js'
import {inheritableDescriptors} from '../host/proc.js'
import {capture, pipeOf, start, started} from '../host/process.js'
import {type Anchor, anchorFiles, readLiveAnchor, recordAnchor} from './anchor-state.js'
import {AnchorFd, type AnchorOptions, anchorCommand, anchorOptions, GUEST_PATH} from './engines/bwrap.js'
import {AnchorFailedError, AnchorUnreachableError} from './errors.js'

export type AnchorPlan = AnchorOptions & {
  readonly name: string
  /** Folder of the run-time state; made when missing. */
  readonly runFolder: string
  readonly bwrap: string
  /** Argument list that makes the user namespace first, empty when bwrap makes it. */
  readonly prefix: readonly string[]
  /** Classic BPF for the holder and so for all that it starts. */
  readonly filter: Uint8Array
}

/** Longest a start may take; milliseconds are usual, a machine that swaps needs seconds. */
const START_DEADLINE_MS = 15_000
const POLL_MS = 5

/**
 * The environment's running anchor, started when there is none.
 *
 * Of several callers one starts it, under the liveness lock that its process then keeps until the kernel drops it;
 * the others wait for the state file. So one tree is never in two namespaces.
 *
 * @throws {AnchorFailedError} @throws {AnchorUnreachableError}
 */
export async function ensureAnchor(plan: AnchorPlan): Promise<Anchor> {
  await mkdir(plan.runFolder, {recursive: true, mode: 0o700})
  const deadline = Date.now() + START_DEADLINE_MS
  while (Date.now() < deadline) {
    const live = readLiveAnchor(plan.runFolder)
    if (live !== undefined) return live
    const lock = await takeLock(anchorFiles(plan.runFolder).liveness, {mode: 'exclusive', waitMs: 0})
    if (lock !== undefined) return await startAnchor(plan, lock).finally(() => lock.release())
    await sleep(POLL_MS)
    // Whoever started it may have been killed before it wrote the state: what bwrap wrote is as good.
    const adopted = await recordAnchor(plan.runFolder)
    if (adopted !== undefined) return adopted
  }
  throw new AnchorUnreachableError(plan.name)
}

/** Whether anything of the environment lives: by its state, and by the lock a guest can't see but might drop. */
export async function isRunning(runFolder: string): Promise<boolean> {
  if (readLiveAnchor(runFolder) !== undefined) return true
  try {
    return !(await isLockFree(anchorFiles(runFolder).liveness))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

async function startAnchor(plan: AnchorPlan, liveness: Lock): Promise<Anchor> {
  const files = anchorFiles(plan.runFolder)
  await makeFifo(files.hold)
  const {O_RDWR, O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC} = constants
  const opened: number[] = []
  const open = (path: string, flags: number) => {
    const fd = openSync(path, flags, 0o600)
    opened.push(fd)
    return fd
  }
  try {
    // A writer of our own first: a FIFO's reader waits for one, and the holder must not see "nobody" yet.
    open(files.hold, O_RDWR)
    const [hold, log, info] = [
      open(files.hold, O_RDONLY),
      open(files.log, O_WRONLY | O_CREAT | O_TRUNC),
      open(files.info, O_WRONLY | O_CREAT | O_TRUNC),
    ]
    const holder = await templateText('guest/holder.sh')
    const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', log, log]
    stdio[AnchorFd.info] = info
    stdio[AnchorFd.ready] = 'pipe'
    stdio[AnchorFd.hold] = hold
    stdio[AnchorFd.liveness] = liveness.fd
    stdio[AnchorFd.options] = 'pipe'
    stdio[AnchorFd.filter] = 'pipe'
    const child = start(anchorCommand({...plan, holder}), {
      detached: true,
      env: {PATH: GUEST_PATH},
      stdio: coverStrays(stdio, open('/dev/null', O_RDONLY)),
    })
    await started(child)
    child.unref()
    feed(
      pipeOf(child, AnchorFd.options),
      anchorOptions(plan)
        .map((option) => `${option}\0`)
        .join(''),
    )
    feed(pipeOf(child, AnchorFd.filter), plan.filter)
    const isReady = await sawReady(pipeOf(child, AnchorFd.ready))
    const anchor = isReady ? await recordAnchor(plan.runFolder) : undefined
    if (anchor === undefined) throw new AnchorFailedError(plan.name, await lastLine(files.log))
    return anchor
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

/**
 * Puts /dev/null over what the caller's shell left open: a folder's descriptor in the guest leads to the host.
 *
 * By its number: above standard error, Node's 'ignore' leaves a descriptor as it is.
 */
function coverStrays(stdio: (number | 'ignore' | 'pipe')[], devNull: number): (number | 'ignore' | 'pipe')[] {
  const length = Math.max(stdio.length, ...inheritableDescriptors().map((fd) => fd + 1))
  return Array.from({length}, (_, fd) => stdio[fd] ?? devNull)
}

async function makeFifo(path: string): Promise<void> {
  const made = await capture(['mkfifo', '-m', '600', path])
  // Status 1 is "there already" for all but the first start; opening it tells the rest.
  if (made.status > 1) throw new Error(`mkfifo(1) ended with status ${made.status} on ${path}`)
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

async function lastLine(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.trim().split('\n').at(-1)?.slice(0, 400) ?? ''
}

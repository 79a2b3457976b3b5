import {closeSync, openSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {makeFolders} from '../../host/files.js'
import {isLockFree, takeLock} from '../../host/locks.js'
import {type DebArchitecture, ioctlKind, systemCalls} from '../../host/machine/arch.js'
import {pipeOf, type Script, scriptWords, start} from '../../host/process.js'
import type {Anchor} from '../anchor-state.js'
import {coverStrays, GUEST_PATH} from '../constants.js'
import type {Publication} from './publication.js'

/** A program of the host that serves the network of one running environment, and ends with it. */
export type Helper = {
  /** Held by the program as long as it runs. */
  readonly lock: string
  readonly argv: readonly string[]
}

/** The step at which a helper failed, its errno, and the words of the program that it ran; untrusted. */
export type HelperFailure = {readonly stage: string; readonly errno: number; readonly text: string}

/** The facts of a running environment that its helpers need. */
export type NetworkPlace = {
  readonly perl: string
  readonly architecture: DebArchitecture
  readonly runFolder: string
  readonly anchor: Anchor
}

/** Limit for the start of a helper: milliseconds are usual, a host that swaps needs seconds. */
const START_DEADLINE_MS = 15_000

const LATE = 'failed deadline 0\n'

/** Folder of the state of an environment's network. */
function networkFolder(runFolder: string): string {
  return join(runFolder, 'network')
}

/** Returns the helper that leads out of the network of an environment. @param words - Of the tool. */
export function networkHelper(place: NetworkPlace, words: readonly string[]): Helper {
  const folder = networkFolder(place.runFolder)
  return {
    lock: outletLock(place.runFolder),
    argv: [
      ...helperWords(place, 'network'),
      ...anchorWords(place.anchor),
      numbers(place),
      join(folder, 'tool'),
      ...words,
    ],
  }
}

export function outletLock(runFolder: string): string {
  return join(networkFolder(runFolder), 'outlet.lock')
}

/** Returns the helper of a published port. */
export function publicationHelper(place: NetworkPlace, publication: Publication): Helper {
  const {address, port, guestPort} = publication
  return {
    lock: publicationLock(place.runFolder, publication),
    argv: [
      ...helperWords(place, 'publish'),
      ...[numbers(place), '-', '-', address, String(port)],
      ...[...anchorWords(place.anchor), String(guestPort)],
    ],
  }
}

export function publicationLock(
  runFolder: string,
  {address, port}: Pick<Publication, 'address' | 'port'>,
): string {
  return join(networkFolder(runFolder), `publish-${address}-${port}.lock`)
}

/** Port of the loopback of an environment at which its proxy listens. */
const PROXY_PORT = 3128

/** The proxy, as programs in the environment name it. */
export const PROXY_URL = `http://127.0.0.1:${PROXY_PORT}`

/** Returns the helper that leads to named hosts alone. */
export function proxyHelper(place: NetworkPlace, hosts: readonly string[]): Helper {
  return {
    lock: proxyLock(place.runFolder),
    argv: [
      ...helperWords(place, 'proxy'),
      ...[numbers(place), ...anchorWords(place.anchor), String(PROXY_PORT), ...hosts],
    ],
  }
}

export function proxyLock(runFolder: string): string {
  return join(networkFolder(runFolder), 'proxy.lock')
}

/** Returns the helper through which a port of one environment is also a port of the loopback of another. */
export function connectionHelper(place: NetworkPlace, {from, port, to, toPort}: Connection): Helper {
  return {
    lock: connectionLock(place.runFolder, port),
    argv: [
      ...helperWords(place, 'publish'),
      ...[numbers(place), ...anchorWords(from), '127.0.0.1', String(port)],
      ...[...anchorWords(to), String(toPort)],
    ],
  }
}

/** A port of the loopback of the environment `from` that leads to a port of `to`. */
export type Connection = {
  readonly from: Anchor
  readonly port: number
  readonly to: Anchor
  readonly toPort: number
}

/** @param runFolder - Of the environment in which the port listens. */
export function connectionLock(runFolder: string, port: number): string {
  return join(networkFolder(runFolder), `connect-${port}.lock`)
}

function helperWords({perl}: NetworkPlace, script: Script): string[] {
  return scriptWords(perl, script)
}

function anchorWords({pid, startTime}: Anchor): [pid: string, startTime: string] {
  return [String(pid), startTime]
}

function numbers({architecture}: NetworkPlace): string {
  const {setns, prctl, prlimit64} = systemCalls(architecture)
  return [setns, prctl, prlimit64, ioctlKind(architecture)].join(',')
}

/**
 * Starts a helper unless it runs or another command starts it: the lock decides.
 *
 * @returns The failure; undefined when the helper runs.
 */
export async function ensureHelper({lock: path, argv}: Helper): Promise<HelperFailure | undefined> {
  await makeFolders(join(path, '..'), {mode: 0o700})
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: 0})
  if (lock === undefined) return undefined
  const devNull = openSync('/dev/null', 'r+')
  try {
    const child = start(argv, {
      cwd: '/',
      env: {PATH: GUEST_PATH},
      // Ctrl-C at the terminal of the session that starts it must not end it.
      detached: true,
      stdio: coverStrays(['ignore', 'ignore', 'ignore', 'pipe', lock.fd], devNull),
    })
    const failed = new Promise<never>((_, reject) => child.once('error', reject))
    child.unref()
    const words = readAll(pipeOf(child, 3))
    const late = sleep(START_DEADLINE_MS, LATE, {ref: false})
    const report = await Promise.race([words, late, failed])
    if (report === LATE) child.kill('SIGKILL')
    return parseHelperReport(report)
  } finally {
    lock.release()
    closeSync(devNull)
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

/** Parses the report of a helper; undefined for one that is ready. */
export function parseHelperReport(report: string): HelperFailure | undefined {
  if (report === 'ready\n') return undefined
  const {
    stage = 'unstarted',
    errno = '0',
    text = '',
  } = /^failed (?<stage>[a-z-]+) (?<errno>\d+)(?: (?<text>.*))?$/m.exec(report)?.groups ?? {}
  return {stage, errno: Number(errno), text}
}

/** Returns whether a helper runs. */
export async function isHelperRunning(lock: string): Promise<boolean> {
  return !(await isLockFree(lock).catch(() => true))
}

/** Returns a setup step that makes the network of an environment. */
export function ownNetworkStep({perl, architecture}: Pick<NetworkPlace, 'perl' | 'architecture'>): string[] {
  return [...scriptWords(perl, 'own-network'), String(systemCalls(architecture).unshare)]
}

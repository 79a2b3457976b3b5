import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import * as v from 'valibot'
import {unlessErrno} from '../../host/errno.js'
import {numberField, parseIfValid, type RecordOf} from '../../host/records.js'
import {isReleased} from '../anchor.js'
import {type Anchor, anchorFiles, readLiveAnchor} from '../anchor-state.js'
import {bootFailedError} from '../errors.js'

const bootStateSchema = v.variant('state', [
  v.object({state: v.literal('running'), pid: numberField}),
  v.object({state: v.literal('ended'), pid: numberField, status: numberField}),
])

type BootState = RecordOf<typeof bootStateSchema>

/** A unit may start for minutes; the commands of a user need not wait for it. */
const MOST_BOOT_MS = 30_000
const POLL_MS = 20

/**
 * Waits until systemd reports that all units have started or failed.
 *
 * @param mostMs - The longest time; left out, thirty seconds.
 * @throws {@link bootFailedError} When the guest ends before that.
 */
export async function untilBooted(
  name: string,
  runFolder: string,
  anchor: Anchor,
  mostMs = MOST_BOOT_MS,
): Promise<void> {
  const deadline = Date.now() + Math.min(mostMs, MOST_BOOT_MS)
  while (Date.now() < deadline) {
    const boot = readBootState(runFolder)
    if (boot?.pid === anchor.pid) {
      if (boot.state === 'running') return
      throw bootFailed(name, runFolder, String(boot.status))
    }
    if (readLiveAnchor(runFolder)?.pid !== anchor.pid)
      throw bootFailed(name, runFolder, await endOf(runFolder, anchor))
    await sleep(POLL_MS)
  }
}

/** Returns the status of a first process that has ended. Its keeper writes it before the lock is free; one that was killed writes nothing. */
async function endOf(runFolder: string, {pid}: Anchor): Promise<string> {
  await isReleased(runFolder)
  const boot = readBootState(runFolder)
  return boot?.pid === pid && boot.state === 'ended' ? String(boot.status) : 'unknown'
}

/** Returns whether systemd has reported that the boot is complete. */
export function hasBooted(runFolder: string, {pid}: Anchor): boolean {
  const boot = readBootState(runFolder)
  return boot?.pid === pid && boot.state === 'running'
}

function bootFailed(name: string, runFolder: string, status: string) {
  const lines = lastConsoleLines(runFolder)
  return bootFailedError(
    {name, status},
    {hints: lines.length === 0 ? [] : ['Its console ends with:', ...lines]},
  )
}

function readBootState(runFolder: string): BootState | undefined {
  const text = unlessErrno(() => readFileSync(anchorFiles(runFolder).boot, 'utf8'), 'ENOENT')
  return text === undefined ? undefined : parseIfValid(text, bootStateSchema)
}

const MOST_LINES = 5
/** A console line of systemd has a hundred characters, and colours. */
const MOST_LINE_CHARACTERS = 300
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of colours
const COLOURS = /\u001b\[[0-9;]*[A-Za-z]|\r/g

/** Returns the last lines that the guest wrote to its console; the guest's words. */
function lastConsoleLines(runFolder: string): string[] {
  const text = unlessErrno(() => readFileSync(join(runFolder, 'console.log'), 'utf8'), 'ENOENT') ?? ''
  const lines = text.replace(COLOURS, '').split('\n')
  return lines
    .map((line) => line.trim().slice(0, MOST_LINE_CHARACTERS))
    .filter((line) => line !== '')
    .slice(-MOST_LINES)
}

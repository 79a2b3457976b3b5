import {createInterface} from 'node:readline'
import {ended, pipeOf, start} from '../host/process.js'
import type {Anchor} from './anchor-state.js'
import {freezeCommand, type SignalSender} from './guest-signals.js'

/**
 * The process that stops all of an environment and lets it go on when it is closed: also when this process is killed.
 *
 * @see templates/host/signal-all.pl
 */
export type Freezer = {
  /** The host's ids of processes with these ids in the guest, in that order; 0 where there is none. */
  hostPids(guestPids: readonly number[]): Promise<number[]>
  /** Stops these. @returns Whether that could be done. */
  hold(guestPids: readonly number[]): Promise<boolean>
  /**
   * Stops all at one moment, the environment's first process apart.
   *
   * @param kept - Threads that were stopped before, with their ids in the guest: they stay so.
   * @returns Whether that could be done.
   */
  stop(kept: readonly number[]): Promise<boolean>
  /** Who is to go on at the end, in this order. Without it, all but the kept are. */
  planResumption(guestPids: readonly number[]): void
  /** Settles when they go on. */
  close(): Promise<void>
}

export function startFreezer(sender: SignalSender, anchor: Anchor): Freezer {
  const child = start(freezeCommand(sender, anchor), {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin'},
    stdio: ['pipe', 'pipe', 'ignore'],
    // A group of its own: Ctrl-C at the terminal must not reach who is to let all go on.
    detached: true,
  })
  const exit = ended(child)
  exit.catch(() => {})
  const input = pipeOf(child, 0)
  input.on('error', () => {})
  const answers = createInterface({input: pipeOf(child, 1)})[Symbol.asyncIterator]()
  const tell = (word: string, ids: readonly number[]) => void input.write(`${[word, ...ids].join(' ')}\n`)
  const ask = async (word: string, ids: readonly number[]): Promise<string> => {
    tell(word, ids)
    const answer = await answers.next()
    return answer.done === true ? '' : answer.value
  }
  return {
    hostPids: async (guestPids) => {
      const [, ...pids] = (await ask('which', guestPids)).split(' ').map(Number)
      return guestPids.map((_, index) => pids[index] ?? 0)
    },
    hold: async (guestPids) => (await ask('hold', guestPids)) === 'held',
    stop: async (kept) => (await ask('stop', kept)) === 'stopped',
    planResumption: (guestPids) => tell('resume', guestPids),
    close: async () => {
      input.end()
      await exit
    },
  }
}

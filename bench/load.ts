import {readFileSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'

/** A clock tick of /proc, USER_HZ. @see proc(5): 100 on every architecture that Node runs on */
const TICKS_PER_SECOND = 100
/** Cores that others may use in a moment that still counts as idle. */
const QUIET_CORES = 0.15
const LOOK_MS = 400

export type LoadMeter = {
  /** Returns the cores that other processes have used, on average, since the start of the meter. */
  othersCores(): number
}

/** Starts to measure the load of other processes, while children of this one run and are waited for. */
export function meterLoad(): LoadMeter {
  const [startMs, busy, own] = [performance.now(), busyTicks(), ownTicks()]
  return {
    othersCores: () => {
      const seconds = (performance.now() - startMs) / 1000
      return Math.max(0, (busyTicks() - busy - (ownTicks() - own)) / TICKS_PER_SECOND / seconds)
    },
  }
}

/** Waits for idle moments, within one time budget for the whole run: a machine may never become idle. */
export class Patience {
  #leftMs: number

  constructor(budgetMs: number) {
    this.#leftMs = budgetMs
  }

  async waitForQuiet(): Promise<void> {
    while (this.#leftMs > 0) {
      const meter = meterLoad()
      await sleep(LOOK_MS)
      this.#leftMs -= LOOK_MS
      if (meter.othersCores() < QUIET_CORES) return
    }
  }
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal. @see proc_stat(5) */
function busyTicks(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return user + nice + system + irq + softirq + steal
}

/** Fields 14 to 17 of proc_pid_stat(5): time of this process and of its children that were waited for. */
function ownTicks(): number {
  const text = readFileSync('/proc/self/stat', 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
}

import {readdirSync, readFileSync} from 'node:fs'
import {processStartTime} from '../host/proc.js'
import type {Anchor} from './anchor-state.js'
import {pidNamespace} from './processes.js'

/** A process of a running environment, as the host's kernel has it. */
export type Member = {
  readonly pid: number
  /** The host's id of its parent, as all else is. */
  readonly parent: number
  /** Its id in the guest's pid namespace. */
  readonly guestPid: number
  /** Those that have not ended; none where the process only waits to be reaped. */
  readonly threads: readonly Thread[]
}

export type Thread = {
  readonly id: number
  readonly guestId: number
  /** One letter. @see proc_pid_status(5) State */
  readonly state: string
  /** How often it has left a processor: a number that grows each time it has run. @see proc_pid_status(5) ctxt_switches */
  readonly switches: number
}

/** The host's ids of processes with these ids in the guest's pid namespace; 0 where there is none. */
type Translate = (guestPids: readonly number[]) => Promise<number[]>

type Process = {
  readonly pid: number
  readonly parent: number
  readonly uid: number
  /** Its id in each pid namespace, the host's first. */
  readonly pids: readonly number[]
}

/**
 * Finds who belongs to an environment, also in pid namespaces below its own, and those that don't let anyone look.
 *
 * A program that its user may run and not read, or that was started on the host, may be hidden from the user: then
 * /proc/PID/ns can't be read. Its parents tell, or else the kernel, asked from within for the process of that id.
 */
export class Members {
  readonly #anchor: Anchor
  readonly #translate: Translate
  readonly #namespace: string | undefined
  readonly #depth: number
  readonly #ids: readonly IdRange[]
  /** What was found out by asking, by process and start. */
  readonly #asked = new Map<string, boolean>()

  constructor(anchor: Anchor, translate: Translate) {
    this.#anchor = anchor
    this.#translate = translate
    this.#namespace = pidNamespace(anchor.pid)
    this.#depth = readProcess(anchor.pid)?.pids.length ?? 0
    this.#ids = idRanges(anchor.pid)
  }

  /** All but the first process; youngest first. */
  async list(): Promise<Member[]> {
    // It has ended, and all with it.
    if (this.#namespace === undefined) return []
    const all = processes()
    const found: Process[] = []
    const unknown: Process[] = []
    for (const process of all.values()) {
      if (process.pid === this.#anchor.pid || process.pids.length < this.#depth) continue
      const namespace = pidNamespace(process.pid)
      if (namespace === this.#namespace) found.push(process)
      else if (namespace === undefined || process.pids.length > this.#depth) {
        if (this.#hasParentInside(process, all)) found.push(process)
        else if (namespace === undefined && this.#mayBelong(process)) unknown.push(process)
      }
    }
    found.push(...(await this.#ask(unknown)))
    return found.map((process) => this.#describe(process)).sort((a, b) => b.guestPid - a.guestPid)
  }

  /** The environment's first process: it can't be stopped from within. */
  first(): Member {
    const pids = [...Array<number>(Math.max(0, this.#depth - 1)), 1]
    return this.#describe({pid: this.#anchor.pid, parent: 0, pids})
  }

  #describe({pid, parent, pids}: Pick<Process, 'pid' | 'parent' | 'pids'>): Member {
    return {pid, parent, guestPid: pids[this.#depth - 1] ?? 0, threads: threadsOf(pid, this.#depth)}
  }

  /** Another environment may have namespaces below its own, too. */
  #hasParentInside({parent}: Process, all: ReadonlyMap<number, Process>): boolean {
    let at: number | undefined = parent
    for (let steps = 0; at !== undefined && at > 1 && steps < all.size; steps++) {
      if (at === this.#anchor.pid || pidNamespace(at) === this.#namespace) return true
      at = all.get(at)?.parent
    }
    return false
  }

  /** Nobody becomes in a user namespace what is not mapped there. */
  #mayBelong({uid}: Process): boolean {
    return this.#ids.some(({first, count}) => uid >= first && uid < first + count)
  }

  async #ask(unknown: readonly Process[]): Promise<Process[]> {
    const key = ({pid}: Process) => `${pid} ${processStartTime(pid)}`
    const open = unknown.filter((process) => !this.#asked.has(key(process)))
    const answers =
      open.length === 0 ? [] : await this.#translate(open.map(({pids}) => pids[this.#depth - 1] ?? 0))
    for (const [index, process] of open.entries())
      this.#asked.set(key(process), answers[index] === process.pid)
    return unknown.filter((process) => this.#asked.get(key(process)) === true)
  }
}

function processes(): ReadonlyMap<number, Process> {
  const found = new Map<number, Process>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const process = Number.isInteger(pid) ? readProcess(pid) : undefined
    if (process !== undefined) found.set(pid, process)
  }
  return found
}

/** @see proc_pid_status(5): everybody may read it. */
function readProcess(pid: number): Process | undefined {
  const status = readText(`/proc/${pid}/status`)
  if (status === undefined) return undefined
  const [, parent] = /^PPid:\s+(\d+)/m.exec(status) ?? []
  const [, uid] = /^Uid:\s+(\d+)/m.exec(status) ?? []
  return {pid, parent: Number(parent), uid: Number(uid), pids: namespacePids(status)}
}

function threadsOf(pid: number, depth: number): Thread[] {
  return namesIn(`/proc/${pid}/task`).flatMap((name) => {
    const status = readText(`/proc/${pid}/task/${name}/status`)
    const [, state = ''] = /^State:\s+(\S)/m.exec(status ?? '') ?? []
    if (status === undefined || /[ZX]/.test(state)) return []
    const switches = [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)$/gm)]
    return [
      {
        id: Number(name),
        guestId: namespacePids(status)[depth - 1] ?? 0,
        state,
        switches: switches.reduce((sum, [, count]) => sum + Number(count), 0),
      },
    ]
  })
}

function namespacePids(status: string): number[] {
  return (/^NSpid:\s+(.*)$/m.exec(status)?.[1] ?? '').split(/\s+/).map(Number)
}

type IdRange = {readonly first: number; readonly count: number}

/** The host's ids that are mapped for a process. @see user_namespaces(7) */
function idRanges(pid: number): IdRange[] {
  const lines = (readText(`/proc/${pid}/uid_map`) ?? '').trim().split('\n')
  return lines.map((line) => {
    const [, first = 0, count = 0] = line.trim().split(/\s+/).map(Number)
    return {first, count}
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

import {readdirSync, readFileSync} from 'node:fs'
import {processStartTime} from '../host/machine/proc.js'
import type {Anchor} from './anchor-state.js'
import {pidNamespace} from './processes.js'

/** A process of a running environment, with ids of the host. */
export type Member = {
  readonly pid: number
  /** The host's id of its parent. */
  readonly parent: number
  /** Its id in the guest's pid namespace. */
  readonly guestPid: number
  /** Running threads; none for a zombie. */
  readonly threads: readonly Thread[]
}

export type Thread = {
  readonly id: number
  readonly guestId: number
  /** One letter. @see proc_pid_status(5) State */
  readonly state: string
  /** Count of context switches, which grows each time the thread has run. @see proc_pid_status(5) ctxt_switches */
  readonly switches: number
}

/** Translates pids of the guest's pid namespace to pids of the host; 0 for a missing process. */
type Translate = (guestPids: readonly number[]) => Promise<number[]>

type ProcessStatus = {
  readonly pid: number
  readonly parent: number
  readonly uid: number
  /** Its id in each pid namespace, the host's first. */
  readonly pids: readonly number[]
}

/**
 * Lists the processes of an environment, including those in nested pid namespaces and those whose /proc/PID/ns is unreadable.
 *
 * The kernel hides /proc/PID/ns of a program that its user may execute but not read, or that was started on the host. Such a
 * process belongs to the environment if its parents do, or if the kernel finds it from within by its id in the guest.
 */
export class Members {
  readonly #anchor: Anchor
  readonly #translate: Translate
  readonly #namespace: string | undefined
  readonly #depth: number
  readonly #ids: readonly IdRange[]
  /** Results of the translation, by pid and start time. */
  readonly #asked = new Map<string, boolean>()

  constructor(anchor: Anchor, translate: Translate) {
    this.#anchor = anchor
    this.#translate = translate
    this.#namespace = pidNamespace(anchor.pid)
    this.#depth = readProcess(anchor.pid)?.pids.length ?? 0
    this.#ids = idRanges(anchor.pid)
  }

  /** Returns all processes except the first one, youngest first. */
  async list(): Promise<Member[]> {
    // The first process has ended, and all others with it.
    if (this.#namespace === undefined) return []
    const all = processes()
    const found: ProcessStatus[] = []
    const unknown: ProcessStatus[] = []
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

  /** Returns the environment's first process, which no signal from within can stop. */
  first(): Member {
    const pids = [...Array<number>(Math.max(0, this.#depth - 1)), 1]
    return this.#describe({pid: this.#anchor.pid, parent: 0, pids})
  }

  #describe({pid, parent, pids}: Pick<ProcessStatus, 'pid' | 'parent' | 'pids'>): Member {
    return {pid, parent, guestPid: pids[this.#depth - 1] ?? 0, threads: threadsOf(pid, this.#depth)}
  }

  /** Returns whether an ancestor belongs to the environment. A nested namespace may belong to another environment. */
  #hasParentInside({parent}: ProcessStatus, all: ReadonlyMap<number, ProcessStatus>): boolean {
    let at: number | undefined = parent
    for (let steps = 0; at !== undefined && at > 1 && steps < all.size; steps++) {
      if (at === this.#anchor.pid || pidNamespace(at) === this.#namespace) return true
      at = all.get(at)?.parent
    }
    return false
  }

  /** Returns whether the uid is mapped in the guest: no process can have another one there. */
  #mayBelong({uid}: ProcessStatus): boolean {
    return this.#ids.some(({first, count}) => uid >= first && uid < first + count)
  }

  async #ask(unknown: readonly ProcessStatus[]): Promise<ProcessStatus[]> {
    const key = ({pid}: ProcessStatus) => `${pid} ${processStartTime(pid)}`
    const open = unknown.filter((process) => !this.#asked.has(key(process)))
    const answers =
      open.length === 0 ? [] : await this.#translate(open.map(({pids}) => pids[this.#depth - 1] ?? 0))
    for (const [index, process] of open.entries())
      this.#asked.set(key(process), answers[index] === process.pid)
    return unknown.filter((process) => this.#asked.get(key(process)) === true)
  }
}

function processes(): ReadonlyMap<number, ProcessStatus> {
  const found = new Map<number, ProcessStatus>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const process = Number.isInteger(pid) ? readProcess(pid) : undefined
    if (process !== undefined) found.set(pid, process)
  }
  return found
}

/** Reads /proc/PID/status, which all users may read. @see proc_pid_status(5) */
function readProcess(pid: number): ProcessStatus | undefined {
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

/** Returns the host's ids in the uid map of a process. @see user_namespaces(7) */
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

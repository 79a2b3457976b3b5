import {closeSync, openSync, readdirSync, readlinkSync, readSync} from 'node:fs'
import {ignoring, isErrno, unlessErrno} from '../host/errno.js'
import {type DebArchitecture, ioctlKind, systemCalls} from '../host/machine/arch.js'
import {capture} from '../host/process.js'
import type {Anchor} from './anchor-state.js'

/** Facts of a process that the host shows to few users. */
export type ProcessFacts = {
  /** Inodes of its open sockets. */
  readonly sockets: readonly string[]
  /** A variable that it was started with: the guest's word. */
  readonly variable: string | undefined
}

/** Facts by the host's ids of the processes. */
export type Inspection = ReadonlyMap<number, ProcessFacts>

/** The program that reads processes with other users' ids. */
export type Inspector = {
  /** Argv prefix of templates/host/inspect.pl. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
}

/** Many times what the program needs for the most that it reads. */
const DEADLINE_MS = 5000

/**
 * Reads facts of processes of an environment.
 *
 * The host shows those of a process with another user's id to root of the environment's user namespace alone: the program joins it.
 * Without the program, or where it fails, such a process has none.
 *
 * @param variable - Name of the variable to look for.
 * @param by - The program, and the first process of the environment; undefined where one of them is missing.
 * @see proc_pid_fd(5), proc_pid_environ(5)
 */
export async function inspectProcesses(
  pids: readonly number[],
  {
    variable,
    by,
  }: {
    readonly variable: string
    readonly by: {readonly inspector: Inspector; readonly anchor: Anchor} | undefined
  },
): Promise<Inspection> {
  const facts = new Map<number, ProcessFacts>()
  const others: number[] = []
  for (const pid of pids) {
    const sockets = readSockets(pid)
    if (sockets === undefined) others.push(pid)
    else facts.set(pid, {sockets, variable: readVariable(pid, variable)})
  }
  if (others.length === 0 || by === undefined) return facts
  const {
    inspector: {launcher, architecture},
    anchor,
  } = by
  const numbers = [systemCalls(architecture).setns, ioctlKind(architecture)].join(',')
  const program = capture([...launcher, String(anchor.pid), numbers, variable], {
    cwd: '/',
    timeout: DEADLINE_MS,
    input: others.map((pid) => `${pid}\n`).join(''),
  })
  const ended = await program.catch(ignoring())
  return new Map([...facts, ...parseFacts(ended?.stdout ?? '')])
}

/** Returns the sockets of a process; undefined if this user may not read its descriptors. */
function readSockets(pid: number): string[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      const target = unlessErrno(() => readlinkSync(`/proc/${pid}/fd/${name}`)) ?? ''
      return /^socket:\[(?<inode>\d+)\]$/.exec(target)?.groups?.['inode'] ?? []
    })
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM')) return undefined
    if (!isErrno(error)) throw error
    // It has ended.
    return []
  }
}

/** As that of templates/host/inspect.pl. A script starts a service with five variables. */
const MOST_ENVIRON_BYTES = 64 * 1024

function readVariable(pid: number, name: string): string | undefined {
  const fd = unlessErrno(() => openSync(`/proc/${pid}/environ`, 'r'))
  if (fd === undefined) return undefined
  try {
    const bytes = Buffer.alloc(MOST_ENVIRON_BYTES)
    const length = unlessErrno(() => readSync(fd, bytes, 0, bytes.length, 0)) ?? 0
    const found = bytes
      .toString('latin1', 0, length)
      .split('\0')
      .find((each) => each.startsWith(`${name}=`))
    return found?.slice(name.length + 1)
  } finally {
    closeSync(fd)
  }
}

/** Parses what templates/host/inspect.pl prints. */
function parseFacts(text: string): Map<number, ProcessFacts> {
  const facts = new Map<number, {sockets: string[]; variable: string | undefined}>()
  for (const [, id, kind, value = ''] of text.matchAll(/^(\d+) (socket|variable) (\S+)$/gm)) {
    const pid = Number(id)
    const found = facts.get(pid) ?? {sockets: [], variable: undefined}
    facts.set(pid, found)
    if (kind === 'socket') found.sockets.push(value)
    else found.variable = value
  }
  return facts
}

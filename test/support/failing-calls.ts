import {readFile, rm} from 'node:fs/promises'
import {constants} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {SandboxedCli} from './cli.js'
import {startGroup} from './process-group.js'

const PROGRAM = fileURLToPath(new URL('./programs/fail-call.pl', import.meta.url))

/** What makes a system call one that is failed here; `create` is open(2) with O_CREAT. */
type CallKind =
  | 'open'
  | 'create'
  | 'write'
  | 'fsync'
  | 'rename'
  | 'mkdir'
  | 'link'
  | 'unlink'
  | 'fork'
  | 'exec'

const FULL = ['EDQUOT', 'ENOSPC'] as const
/** A disk that fails, that went read-only after an error, whose metadata is damaged; a file server without the file. */
const BROKEN = ['EIO', 'EROFS', 'EUCLEAN', 'ESTALE'] as const
const REFUSED = ['EACCES', 'EPERM'] as const
const NAMES = ['EMLINK', 'ENAMETOOLONG', 'ENOMEM'] as const
const DESCRIPTORS = ['EMFILE', 'ENFILE', 'ENOMEM'] as const

/**
 * The errnos that each call can fail with in a store on ext4, xfs, btrfs, tmpfs or NFS, by section 2 of the manual pages, without
 * those of a bug in the caller (EBADF, EFAULT, EINVAL) and those that tell of what is there (EEXIST, ENOENT, ENOTDIR, ENOTEMPTY).
 * docs/decisions/0050-each-errno.md names the sources of the others.
 */
export const ERRNOS: Readonly<Record<CallKind, readonly ErrnoName[]>> = {
  open: [...REFUSED, ...DESCRIPTORS, 'EIO', 'EUCLEAN', 'ESTALE'],
  create: [...REFUSED, ...DESCRIPTORS, ...FULL, ...BROKEN, 'ENAMETOOLONG'],
  write: [...FULL, ...BROKEN, 'EFBIG', 'EPERM', 'ENOMEM'],
  fsync: [...FULL, ...BROKEN],
  rename: [...REFUSED, ...FULL, ...BROKEN, ...NAMES, 'EBUSY'],
  mkdir: [...REFUSED, ...FULL, ...BROKEN, ...NAMES],
  link: [...REFUSED, ...FULL, ...BROKEN, ...NAMES],
  unlink: [...REFUSED, ...BROKEN, 'EBUSY', 'ENOMEM'],
  fork: ['EAGAIN', 'ENOMEM'],
  exec: [...REFUSED, ...DESCRIPTORS, 'EAGAIN', 'EIO', 'ESTALE', 'ETXTBSY'],
}

/** Errnos for which envs, and the programs that it starts, take the same way. */
export const GROUPS: readonly (readonly ErrnoName[])[] = [
  FULL,
  ['EIO', 'EUCLEAN', 'ESTALE'],
  ['EROFS'],
  REFUSED,
  ['EMLINK', 'ENAMETOOLONG', 'EFBIG'],
  [...DESCRIPTORS, 'EAGAIN'],
  ['EBUSY', 'ETXTBSY'],
]

type ErrnoName = keyof typeof NUMBERS

/** Node has no number for this one. @see asm-generic/errno.h */
const NUMBERS = {...constants.errno, EUCLEAN: 117}

/** A system call of envs, or of a program that it started. */
export type Call = {
  /** As the program has it: who calls what, and on which path. */
  readonly line: string
  /** Which of those of the same line, from 1 on. */
  readonly at: number
  readonly kind: CallKind
}

export type FailedCall = Call & {readonly errno: ErrnoName}

type Place = Pick<SandboxedCli, 'home' | 'env'>
type End = {readonly status: number | null; readonly stdout: string; readonly stderr: string}

/** Runs a command to its end. @returns Its calls, in order, and how it ended. */
export async function callsOf(cli: Place, argv: readonly string[]): Promise<End & {calls: Call[]}> {
  const log = join(cli.home, 'calls')
  const end = await startSupervised(cli, argv, {log, target: '-', errno: 0}).ended
  const lines = (await readFile(log, 'utf8')).split('\n').filter(Boolean)
  await rm(log)
  const counts = new Map<string, number>()
  const calls = lines.map((line) => {
    const at = (counts.get(line) ?? 0) + 1
    counts.set(line, at)
    return {line, at, kind: line.split('\t')[1] as CallKind}
  })
  return {...end, calls}
}

/** Runs a command of which one call fails. @returns How it ended, and whether it came to that call. */
export async function runFailing(
  cli: Place,
  argv: readonly string[],
  {line, at, errno}: FailedCall,
): Promise<End & {wasHit: boolean}> {
  const log = join(cli.home, 'calls')
  const end = await startSupervised(cli, argv, {log, target: `${line}\t${at}`, errno: NUMBERS[errno]}).ended
  const lines = (await readFile(log, 'utf8')).split('\n')
  await rm(log)
  return {...end, wasHit: lines.filter((each) => each === line).length >= at}
}

function startSupervised(
  cli: Place,
  argv: readonly string[],
  {log, target, errno}: {log: string; target: string; errno: number},
) {
  // What V8 made is kept after some runs and not after others: each run is to have the same calls.
  const same = {NODE_DISABLE_COMPILE_CACHE: '1'}
  return startGroup(cli, argv, same, ['perl', PROGRAM, cli.home, log, target, String(errno)])
}

export function describeFailedCall({line, at, errno}: FailedCall): string {
  const [program, kind, path] = line.split('\t')
  return `${program}: ${kind} ${path}${at > 1 ? ` (${at})` : ''} with ${errno}`
}

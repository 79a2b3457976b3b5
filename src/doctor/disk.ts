import {constants, readFile, stat, statfs} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {type Check, fail, pass, warn} from '../host/check.js'
import {isAccessible} from '../host/files.js'
import type {Host} from '../host/host.js'
import {mountOf, parseMountinfo} from '../host/machine/proc.js'
import {runTrial} from './trial.js'

/**
 * Judges whether programs in the store can be executed. The store's mount options do not apply to mounted
 * layers.
 */
export function judgeExecution({folder, options}: Pick<Place, 'folder' | 'options'>): Check<'execution'> {
  if (!options.includes('noexec'))
    return pass('execution', `Programs on the disk of ${folder} can be executed.`)
  return fail('execution', {
    evidence: `The disk of ${folder} is mounted noexec.`,
    cost: 'No program of an environment can be executed.',
    remedy: 'Set ENVS_HOME to a folder on another disk.',
  })
}

/** Network file systems, which do not support subordinate ids. @see /proc/filesystems */
const SHARED = ['nfs', 'nfs4', 'cifs', 'smb3', 'afs', 'ceph', 'lustre', 'gpfs', 'beegfs', 'fuse.sshfs']
/** File systems without owners and modes, or without links: a Windows disk under WSL (9p) is one. */
const FOREIGN = ['vfat', 'exfat', 'msdos', 'ntfs', 'ntfs3', 'fuseblk', '9p', 'drvfs']
const IN_MEMORY = ['tmpfs', 'ramfs']

const GIB = 1024 ** 3

/** About an Ubuntu with a compiler; with less space, a first experiment may not fit. */
const WANTED_BYTES = GIB
const WANTED_INODES = 50_000

/** Facts about the disk of the store. */
export type Place = {
  readonly folder: string
  readonly isWritable: boolean
  readonly freeBytes: number
  /** Undefined on a file system that allocates inodes on demand, such as btrfs. */
  readonly freeInodes: number | undefined
  /** As the kernel names it, such as `ext4`. */
  readonly fileSystem: string
  /** Names that differ only in case are the same. */
  readonly foldsCase: boolean
  /** quota(1) reports that the user has exceeded the quota. */
  readonly isOverQuota: boolean
  /** Options of its mount. */
  readonly options: readonly string[]
}

type Finding = {
  readonly isSo: (place: Place) => boolean
  readonly status: 'warn' | 'fail'
  readonly cost: string
  readonly remedy: string
}

const ELSEWHERE = 'Set ENVS_HOME to a folder on another disk.'

/** The most serious first. */
const FINDINGS: readonly Finding[] = [
  {
    isSo: ({isWritable}) => !isWritable,
    status: 'fail',
    cost: 'No environment can be created.',
    remedy: 'Set ENVS_HOME to a folder of your own.',
  },
  {
    isSo: ({fileSystem}) => FOREIGN.includes(fileSystem),
    status: 'fail',
    cost: 'No environment can be created: this file system does not keep modes, owners and links as Linux has them.',
    remedy: ELSEWHERE,
  },
  {
    isSo: ({foldsCase}) => foldsCase,
    status: 'warn',
    cost: 'Packages with files whose names differ in case alone overwrite their own files.',
    remedy: ELSEWHERE,
  },
  {
    isSo: ({isOverQuota}) => isOverQuota,
    status: 'warn',
    cost: 'The disk is full, or almost full.',
    remedy: `See quota(1), and free some space. Or: ${ELSEWHERE}`,
  },
  {
    isSo: ({fileSystem}) => SHARED.includes(fileSystem),
    status: 'warn',
    cost: 'Mapped environments and layers do not work: a file server does not know subordinate ids.',
    remedy: 'Set ENVS_HOME to a folder on a local disk.',
  },
  {
    isSo: ({freeBytes, freeInodes}) =>
      freeBytes < WANTED_BYTES || (freeInodes ?? WANTED_INODES) < WANTED_INODES,
    status: 'warn',
    cost: 'An environment may not fit.',
    remedy: `Free some space. Or: ${ELSEWHERE}`,
  },
  {
    isSo: ({fileSystem}) => IN_MEMORY.includes(fileSystem),
    status: 'warn',
    cost: 'Environments take memory, and are lost when this host restarts.',
    remedy: ELSEWHERE,
  },
  {
    isSo: ({options}) => options.includes('nosuid'),
    status: 'warn',
    cost: 'sudo and su do not work for other users of an environment.',
    remedy: ELSEWHERE,
  },
]

/** Examines the data folder, or its nearest existing parent. */
export async function observeDisk({paths, which}: Pick<Host, 'paths' | 'which'>): Promise<Place> {
  return observePlace(await nearestExisting(paths.data), which)
}

/** Returns the most serious problem, or none. */
export function judgePlace(place: Place): Check<'disk'> {
  const evidence = describe(place)
  const found = FINDINGS.find(({isSo}) => isSo(place))
  if (found === undefined) return pass('disk', evidence)
  const {status, cost, remedy} = found
  return (status === 'fail' ? fail : warn)('disk', {evidence, cost, remedy})
}

async function observePlace(folder: string, which: Host['which']): Promise<Place> {
  const [stats, isWritable, mountinfo] = await Promise.all([
    statfs(folder),
    isAccessible(folder, constants.W_OK),
    readFile('/proc/self/mountinfo', 'utf8'),
  ])
  const mount = mountOf(folder, parseMountinfo(mountinfo))
  const [quota, lsattr] = [which('quota'), which('lsattr')]
  return {
    folder,
    isWritable,
    freeBytes: stats.bavail * stats.bsize,
    freeInodes: stats.files === 0 ? undefined : stats.ffree,
    fileSystem: mount?.fileSystem ?? 'unknown',
    foldsCase:
      (await foldsOwnName(folder)) || (lsattr !== undefined && (await hasFoldingFlag(lsattr, folder))),
    isOverQuota: quota !== undefined && (await isOverQuota(quota)),
    options: mount?.options ?? [],
  }
}

/**
 * Returns whether quota(1) lists a file system that is over quota. It also ends with 1 where no file system has quotas, and lists
 * none then.
 */
async function isOverQuota(quota: string): Promise<boolean> {
  const {status, stdout} = await runTrial([quota, '--quiet'])
  return status === 1 && stdout.trim() !== ''
}

/** Whether one folder folds case is a flag of ext4, f2fs and tmpfs; folders below inherit it. @see lsattr(1), attribute F */
async function hasFoldingFlag(lsattr: string, folder: string): Promise<boolean> {
  const {status, stdout} = await runTrial([lsattr, '-d', folder])
  return status === 0 && isFoldingFlagged(stdout)
}

/** @param line - Of lsattr(1): letters of attributes, then the path. */
export function isFoldingFlagged(line: string): boolean {
  return /^\S*F\S* /.test(line)
}

/** Whether the whole file system folds case, as that of Windows does. By the folder's own name, because it may be empty. */
async function foldsOwnName(folder: string): Promise<boolean> {
  const name = basename(folder)
  const other = name.replace(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
  if (other === name) return false
  const [own, flipped] = await Promise.all(
    [folder, join(dirname(folder), other)].map((path) => stat(path).catch(() => undefined)),
  )
  return own !== undefined && flipped?.ino === own.ino && flipped.dev === own.dev
}

async function nearestExisting(path: string): Promise<string> {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if (await isAccessible(folder)) return folder
  }
  return '/'
}

function describe(place: Place): string {
  const {folder, isWritable, freeBytes, freeInodes, fileSystem, options} = place
  const facts = [
    fileSystem,
    `${(freeBytes / GIB).toFixed(1)} GiB free`,
    freeInodes === undefined ? 'inodes as needed' : `${freeInodes} inodes free`,
    ...options.filter((option) => option === 'noexec' || option === 'nosuid'),
    ...(place.foldsCase ? ['case folded'] : []),
    ...(place.isOverQuota ? ['over quota'] : []),
    ...(isWritable ? [] : ['not writable']),
  ]
  return `${folder}: ${facts.join(', ')}.`
}

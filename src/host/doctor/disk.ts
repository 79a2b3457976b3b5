import {constants, readFile, statfs} from 'node:fs/promises'
import {dirname} from 'node:path'
import {isAccessible} from '../accessible.js'
import type {Host} from '../host.js'
import {mountOf, parseMountinfo} from '../mountinfo.js'
import {type Check, fail, pass, warn} from './check.js'

const SUBJECT = {id: 'disk', title: 'Disk'} as const

/** linux/magic.h */
const NFS_SUPER_MAGIC = 0x6969

const GIB = 1024 ** 3

/** An Ubuntu with a compiler in it, roughly; below this a first experiment may not fit. */
const WANTED_BYTES = GIB
const WANTED_INODES = 50_000

/** What is known of the place where environments lie. */
export type Place = {
  readonly folder: string
  readonly isWritable: boolean
  readonly freeBytes: number
  /** Undefined on a file system that makes inodes as needed, such as btrfs. */
  readonly freeInodes: number | undefined
  readonly isNfs: boolean
  /** Options of its mount. */
  readonly options: readonly string[]
}

/** Looks at the data folder, or at its nearest parent that exists. */
export async function checkDisk({paths}: Pick<Host, 'paths'>): Promise<Check> {
  return judgePlace(await observePlace(await nearestExisting(paths.data)))
}

/** The gravest trouble of a place, or none. */
export function judgePlace(place: Place): Check {
  const evidence = describe(place)
  const elsewhere = 'Set ENVS_HOME to a folder on another disk.'
  if (!place.isWritable) {
    return fail(SUBJECT, {
      evidence,
      cost: 'No environment can be created.',
      remedy: 'Set ENVS_HOME to a folder of your own.',
    })
  }
  if (place.options.includes('noexec')) {
    return fail(SUBJECT, {evidence, cost: 'No program of an environment can be executed.', remedy: elsewhere})
  }
  if (place.isNfs) {
    const cost =
      'Environments with mapped ids can not be created: an NFS server knows nothing of subordinate ids.'
    return warn(SUBJECT, {evidence, cost, remedy: 'Set ENVS_HOME to a folder on a local disk.'})
  }
  if (place.freeBytes < WANTED_BYTES || (place.freeInodes ?? WANTED_INODES) < WANTED_INODES) {
    return warn(SUBJECT, {
      evidence,
      cost: 'An environment may not fit.',
      remedy: `Free some space. Or: ${elsewhere}`,
    })
  }
  if (place.options.includes('nosuid')) {
    return warn(SUBJECT, {
      evidence,
      cost: 'sudo and su do not work for other users of an environment.',
      remedy: elsewhere,
    })
  }
  return pass(SUBJECT, evidence)
}

async function observePlace(folder: string): Promise<Place> {
  const [stats, isWritable, mountinfo] = await Promise.all([
    statfs(folder),
    isAccessible(folder, constants.W_OK),
    readFile('/proc/self/mountinfo', 'utf8'),
  ])
  return {
    folder,
    isWritable,
    freeBytes: stats.bavail * stats.bsize,
    freeInodes: stats.files === 0 ? undefined : stats.ffree,
    isNfs: stats.type === NFS_SUPER_MAGIC,
    options: mountOf(folder, parseMountinfo(mountinfo))?.options ?? [],
  }
}

async function nearestExisting(path: string): Promise<string> {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if (await isAccessible(folder)) return folder
  }
  return '/'
}

function describe({folder, isWritable, freeBytes, freeInodes, isNfs, options}: Place): string {
  const facts = [
    `${(freeBytes / GIB).toFixed(1)} GiB free`,
    freeInodes === undefined ? 'inodes as needed' : `${freeInodes} inodes free`,
    ...options.filter((option) => option === 'noexec' || option === 'nosuid'),
    ...(isNfs ? ['NFS'] : []),
    ...(isWritable ? [] : ['not writable']),
  ]
  return `${folder}: ${facts.join(', ')}.`
}

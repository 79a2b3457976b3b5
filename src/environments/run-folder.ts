import {randomBytes} from 'node:crypto'
import {chmodSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync, type Stats} from 'node:fs'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {isOpenSomewhere} from '../host/flock.js'

/** What envs makes of each entry of an environment's run-time folder. Other entries are nothing that it reads. */
const FORMS: readonly (readonly [RegExp, Form])[] = [
  [/^(?:anchor|history)\.lock$/, 'lock'],
  [/^(?:hold|alive|looks)$/, 'fifo'],
  [/^(?:anchor\.json|join|memory\..*)$/, 'record'],
  [/^(?:resolver|merged|proot)$/, 'folder'],
]

type Form = 'lock' | 'fifo' | 'record' | 'folder'

/** A plan to join is the largest, with variables of its user; see MAX_PLAN_BYTES of templates/host/join.pl. */
const MOST_RECORD_BYTES = 2 ** 20

/**
 * Puts right what is not as envs made it in an environment's run-time folder, and its lock. Up to version 0.1 a guest's root reached files of it
 * through descriptors of the first process, and could change their modes, owners and sizes. What can't be mended is made anew.
 *
 * A lock that is held, and a FIFO that is open, stay as they are. Never throws for the state of a file: whoever needs one that could not be mended says so.
 */
export function mendRunFolder({run, lock}: {readonly run: string; readonly lock: string}): void {
  mendEntry(lock, 'lock')
  const status = lstatSync(run, {throwIfNoEntry: false})
  if (status === undefined) return
  unlessRefused(() => {
    if (!status.isDirectory() || !isOwn(status)) {
      moveAside(run, status)
      return
    }
    if ((status.mode & 0o700) !== 0o700) chmodSync(run, 0o700)
    for (const name of readdirSync(run)) {
      const form = FORMS.find(([names]) => names.test(name))?.[1]
      if (form !== undefined) mendEntry(join(run, name), form)
    }
  })
}

function mendEntry(path: string, form: Form): void {
  unlessRefused(() => {
    const status = lstatSync(path, {throwIfNoEntry: false})
    if (status === undefined) return
    if (!isOwn(status) || !hasForm(status, form)) {
      const isUsed = (form === 'lock' || form === 'fifo') && isHeld(path, status)
      if (!isUsed) moveAside(path, status)
      return
    }
    const needed = form === 'folder' ? 0o700 : 0o600
    if ((status.mode & needed) !== needed) chmodSync(path, status.mode | needed)
  })
}

function hasForm(status: Stats, form: Form): boolean {
  switch (form) {
    case 'folder':
      return status.isDirectory()
    case 'fifo':
      return status.isFIFO()
    case 'record':
      return status.isFile() && status.size <= MOST_RECORD_BYTES
    case 'lock':
      return status.isFile()
  }
}

function isOwn({uid}: Stats): boolean {
  return uid === process.geteuid?.()
}

/** Without opening it, which its mode or owner may forbid. */
function isHeld(path: string, {ino}: Stats): boolean {
  const isListed = readFileSync('/proc/locks', 'latin1').includes(`:${ino} `)
  // A kernel of a container does not list locks of processes that are gone, as flock(1) is.
  return isListed || isOpenSomewhere(path)
}

/** Files go; a folder may be full of another owner's, and goes with the environment where it can't now. */
function moveAside(path: string, status: Stats): void {
  if (!status.isDirectory()) {
    rmSync(path)
    return
  }
  const aside = `${path}.spoiled-${randomBytes(4).toString('hex')}`
  renameSync(path, aside)
  rmSync(aside, {recursive: true, force: true})
}

function unlessRefused(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}

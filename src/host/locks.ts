import {closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync, statSync} from 'node:fs'
import {readdir, readFile, readlink} from 'node:fs/promises'
import {isErrno} from './errno.js'
import {flockMissingError, type LockHolder} from './errors.js'
import {start} from './process.js'

export type LockMode = 'shared' | 'exclusive'

/** An open file description that carries a flock(2); children that inherit `fd` share the lock. */
export type Lock = {readonly fd: number; release(): void}

/** Exit status that flock(1) is asked to return if another process holds the lock. */
const HELD_STATUS = 75

/** Opens a lock file without taking the lock; the kernel releases a lock with its last descriptor. */
export function openLockFile(path: string): Lock {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  let open = true
  return {
    fd,
    release() {
      if (open) closeSync(fd)
      open = false
    },
  }
}

/**
 * Takes a flock(2) on `path` by flock(1) with an inherited descriptor: Node has no call for it.
 *
 * @param waitMs - Time to wait for other holders; 0: try once.
 * @returns The lock, or undefined if other processes still hold it.
 * @throws {@link flockMissingError}
 * @see flock(2): the lock belongs to the open file description, so SIGKILL releases it.
 */
export async function takeLock(
  path: string,
  {mode, waitMs}: {mode: LockMode; waitMs: number},
): Promise<Lock | undefined> {
  const lock = openLockFile(path)
  try {
    if (await lockDescriptor(lock.fd, {mode, waitMs})) return lock
  } catch (error) {
    lock.release()
    throw error
  }
  lock.release()
  return undefined
}

/** Takes or converts the lock of an open descriptor; false if other processes hold it. */
export function lockDescriptor(
  fd: number,
  {mode, waitMs}: {mode: LockMode; waitMs: number},
): Promise<boolean> {
  const wait = waitMs === 0 ? ['-n'] : ['-w', String(waitMs / 1000)]
  const kind = mode === 'shared' ? '-s' : '-x'
  return new Promise((resolve, reject) => {
    const child = start(['flock', kind, ...wait, '-E', String(HELD_STATUS), '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    })
    child.once('error', (error) =>
      reject(isErrno(error, 'ENOENT') ? flockMissingError({}, {cause: error}) : error),
    )
    child.once('exit', (code, signal) => {
      if (code === 0) resolve(true)
      // Ctrl-C at a terminal ends the helper too: then no lock was taken.
      else if (code === HELD_STATUS || signal !== null) resolve(false)
      else reject(new Error(`flock(1) ended with status ${code} on fd ${fd}`))
    })
  })
}

/**
 * Returns whether no process holds an exclusive lock on `path`. Uses a shared lock, so that two checks do not see
 * each other.
 */
export async function isLockFree(path: string): Promise<boolean> {
  const lock = await takeLock(path, {mode: 'shared', waitMs: 0})
  lock?.release()
  return lock !== undefined
}

/** Interval at which a waiting process checks its abort signal. */
const WAIT_STEP_MS = 1000

/**
 * Takes an exclusive lock, and waits while other processes hold it.
 *
 * @param onWait - Called once, if it has to wait.
 * @returns The lock.
 * @throws {unknown} The reason of `signal`; the lock is released then.
 */
export async function awaitLock(
  lock: Lock,
  {signal, onWait}: {readonly signal: AbortSignal | undefined; readonly onWait: () => void},
): Promise<Lock> {
  try {
    if (await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: 0})) return lock
    onWait()
    while (!(await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: WAIT_STEP_MS})))
      signal?.throwIfAborted()
    return lock
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * Returns whether the locked file is still at `path`: another process may have removed or renamed it before it was
 * locked.
 */
export function isLockOf({fd}: Lock, path: string): boolean {
  const [held, there] = [fstatSync(fd), statSync(path, {throwIfNoEntry: false})]
  return held.ino === there?.ino && held.dev === there.dev
}

/**
 * Returns the processes of this user that have `path` open, for a message; processes that cannot be seen are left
 * out.
 */
export async function lockHolders(path: string): Promise<LockHolder[]> {
  const pids = await pidsWith(path)
  return Promise.all(pids.map(describeHolder))
}

/** Returns the same for a message: for a helper of envs, the command that the user started. */
export async function lockUsers(path: string): Promise<LockHolder[]> {
  const pids = new Set(await Promise.all((await pidsWith(path)).map(userProcessOf)))
  return Promise.all([...pids].map(describeHolder))
}

async function describeHolder(pid: string): Promise<LockHolder> {
  return {pid: Number(pid), command: await commandOf(pid)}
}

async function pidsWith(path: string): Promise<string[]> {
  const pids: string[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    if (await hasOpen(entry, path)) pids.push(entry)
  }
  return pids
}

async function hasOpen(pid: string, path: string): Promise<boolean> {
  try {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) === path) return true
    }
  } catch {
    // The process ended, or belongs to another user.
  }
  return false
}

/** Returns whether another process of this user has `path` open. */
export function isOpenSomewhere(path: string): boolean {
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false
    try {
      const folder = `/proc/${pid}/fd`
      return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === path)
    } catch {
      // The process ended, or belongs to another user.
      return false
    }
  })
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

const MOST_CHARACTERS = 200

/** Returns the command line of a process; of a program of envs, as the user typed it. */
async function commandOf(pid: string): Promise<string> {
  const words = await wordsOf(pid)
  const at = words.findIndex((word) => COMMANDS.test(word))
  const shown = at === -1 ? words : ['envs', ...words.slice(at + 1)]
  return shown.join(' ').slice(0, MOST_CHARACTERS)
}

async function wordsOf(pid: string): Promise<string[]> {
  const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return raw.split('\0').filter(Boolean)
}

/** Returns the envs command that started a helper of envs; the process itself for any other, and for a helper that was left alone. */
async function userProcessOf(pid: string): Promise<string> {
  if (!(await wordsOf(pid)).some((word) => HELPERS.test(word))) return pid
  for (let at = await parentOf(pid); at !== undefined; at = await parentOf(at))
    if ((await wordsOf(at)).some((word) => COMMANDS.test(word))) return at
  return pid
}

async function parentOf(pid: string): Promise<string | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
  const parent = /^PPid:\s+(\d+)$/m.exec(status)?.[1]
  return parent === '1' || parent === '0' ? undefined : parent
}

/** Programs that hold the locks of the command that started them. */
const HELPERS = /\/(?:templates\/host\/session\.pl|dist\/rootfs-worker\.cjs)$/

/** Programs that the user starts. */
const COMMANDS = /\/(?:bin\/envs\.js|templates\/host\/join\.pl)$/

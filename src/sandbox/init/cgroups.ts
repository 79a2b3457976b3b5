import {accessSync, constants, readdirSync, readFileSync, statSync} from 'node:fs'
import {basename, dirname, join, resolve} from 'node:path'
import {unlessErrno} from '../../host/errno.js'

/**
 * The control groups that a guest's init lives in:
 * - `real`: a group below one that is delegated to this user.
 * - `make-believe`: a hierarchy of templates/host/boot/cgroups.pl, mounted over a group of the host that the user can't write to.
 */
export type GuestCgroups =
  | {
      readonly kind: 'real'
      /** Mount point of the host's cgroup2. */
      readonly mount: string
      /** The delegated folder. */
      readonly parent: string
    }
  | {
      readonly kind: 'make-believe'
      /** A folder of the host's cgroup2, mounted as the guest's /sys/fs/cgroup. */
      readonly top: string
      /** A folder in it, by name: the mount point of the hierarchy. */
      readonly name: string
    }

/** Returns the control groups for a guest; undefined where this host has none that an init can use. */
export function findCgroups(): GuestCgroups | undefined {
  const mount = cgroup2Mount()
  if (mount === undefined) return undefined
  const own = resolve(mount, `.${ownGroup()}`)
  if (isDelegated(own)) return {kind: 'real', mount, parent: own}
  return canOpenFuse() ? makeBelieve(mount, own) : undefined
}

/** The groups of the user's session, or any other: only its file system matters. */
function makeBelieve(mount: string, own: string): GuestCgroups | undefined {
  if (own !== mount && isFolder(own)) return {kind: 'make-believe', top: dirname(own), name: basename(own)}
  const name = readdirSync(mount).find((entry) => isFolder(join(mount, entry)))
  return name === undefined ? undefined : {kind: 'make-believe', top: mount, name}
}

function cgroup2Mount(): string | undefined {
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  return lines.map((line) => line.split(' ')).find(([, , type]) => type === 'cgroup2')?.[1]
}

/** @see cgroups(7): the line of the unified hierarchy begins with "0::". */
function ownGroup(): string {
  return /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
}

/** Returns whether this user may make groups in it, and move processes between them. */
function isDelegated(folder: string): boolean {
  return [folder, join(folder, 'cgroup.procs')].every(isWritable)
}

function isWritable(path: string): boolean {
  const check = () => {
    accessSync(path, constants.W_OK)
    return true
  }
  return unlessErrno(check, 'EACCES', 'EROFS', 'ENOENT') ?? false
}

function canOpenFuse(): boolean {
  return isWritable('/dev/fuse')
}

function isFolder(path: string): boolean {
  return statSync(path, {throwIfNoEntry: false})?.isDirectory() === true
}

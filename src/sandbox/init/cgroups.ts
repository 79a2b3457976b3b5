import {accessSync, constants, existsSync, readFileSync, statSync} from 'node:fs'
import {basename, dirname, join, resolve} from 'node:path'
import {fileFacts} from '../../host/cache.js'
import {unlessErrno} from '../../host/errno.js'
import {namesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {MapperHost} from '../../host/id-mapping.js'
import {systemCalls} from '../../host/machine/arch.js'
import {capture, findPerl, scriptWords} from '../../host/process.js'
import {oneOfField} from '../../host/records.js'
import {openTrial, type Trial} from '../../host/trials.js'
import {namespacePrefix} from '../identity.js'
import {managerFolder, managerVariables, scopeWords, unitOf} from './user-manager.js'

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
      /**
       * The argv prefix that starts a program in a scope of the user manager; empty where the group of this process is delegated.
       */
      readonly scope: readonly string[]
    }
  | {
      readonly kind: 'make-believe'
      /** A folder of the host's cgroup2, mounted as the guest's /sys/fs/cgroup. */
      readonly top: string
      /** A folder in it, by name: the mount point of the hierarchy. */
      readonly name: string
    }

export type CgroupHost = MapperHost & Pick<Host, 'environment' | 'paths'>

/**
 * - `own`: the group of this process is delegated.
 * - `manager`: the user manager delegates a scope.
 * - `fuse`: make-believe.
 */
type CgroupChoice = 'own' | 'manager' | 'fuse' | 'none'

/** Returns the control groups for a guest; undefined where this host has none that an init can use. Trials are remembered. */
export async function findCgroups(host: CgroupHost): Promise<GuestCgroups | undefined> {
  const place = findPlace()
  if (place === undefined) return undefined
  return chosen(host, place, await cgroupTrialOf(host, place).once(() => tryCgroups(host, place)))
}

/** Makes the trials of {@link findCgroups}, and remembers nothing. */
export async function examineCgroups(host: CgroupHost): Promise<GuestCgroups | undefined> {
  const place = findPlace()
  return place === undefined ? undefined : chosen(host, place, await tryCgroups(host, place))
}

function chosen(host: CgroupHost, {mount, own}: Place, choice: CgroupChoice): GuestCgroups | undefined {
  switch (choice) {
    case 'own':
      return {kind: 'real', mount, scope: []}
    case 'manager':
      return {kind: 'real', mount, scope: scopeWords(host)}
    case 'fuse':
      return makeBelieve(mount, own)
    case 'none':
      return undefined
  }
}

/** Makes the trials again. @returns Whether another result was remembered. */
export async function repeatCgroupTrial(host: CgroupHost): Promise<boolean> {
  const place = findPlace()
  if (place === undefined) return false
  const trial = cgroupTrialOf(host, place)
  return trial.recall() !== undefined && (await trial.anew(() => tryCgroups(host, place))).wasWrong
}

type Place = {
  /** Mount point of the host's cgroup2. */
  readonly mount: string
  /** The group of this process, a folder of it. */
  readonly own: string
}

function findPlace(): Place | undefined {
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const mount = lines.map((line) => line.split(' ')).find(([, , type]) => type === 'cgroup2')?.[1]
  return mount === undefined ? undefined : {mount, own: resolve(mount, `.${ownGroup()}`)}
}

/** @see cgroups(7): the line of the unified hierarchy begins with "0::". */
function ownGroup(): string {
  return /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
}

function cgroupTrialOf(host: CgroupHost, {own}: Place): Trial<CgroupChoice> {
  return openTrial(host, {
    cacheFolder: host.paths.cache,
    name: 'cgroups',
    schema: oneOfField(['own', 'manager', 'fuse', 'none']),
    facts: [
      ...[own, String(isDelegated(own)), fileFacts(host.which('systemd-run')), fileFacts('/dev/fuse')],
      fileFacts(join(managerFolder(host), 'systemd')),
    ],
  })
}

async function tryCgroups(host: CgroupHost, place: Place): Promise<CgroupChoice> {
  const isOwn = isDelegated(place.own)
  if (isOwn && !(await isOfManager(host, place))) return 'own'
  if (await canMakeScope(host, place)) return 'manager'
  if (isOwn) return 'own'
  return (await canMountFuse(host, place)) ? 'fuse' : 'none'
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

const TIMEOUT_MS = 10_000

/**
 * Returns whether the group is of a unit that the user manager has not delegated, as that of a terminal is: the manager owns what is
 * in it, and kills it all with the unit.
 */
async function isOfManager(host: CgroupHost, {own}: Place): Promise<boolean> {
  const unit = unitOf(own, host.uid)
  const systemctl = host.which('systemctl')
  if (unit === undefined || systemctl === undefined) return false
  const words = [systemctl, '--user', 'show', '--property=Delegate', '--value', unit]
  const {status, stdout} = await capture(words, {env: managerVariables(host), timeout: TIMEOUT_MS})
  return status === 0 && stdout.trim() === 'no'
}

/** Makes a group in the group of the process, as a guest's keeper does. */
const MAKE_GROUP =
  'group=$0$(sed -n "s/^0:://p" /proc/self/cgroup); mkdir "$group/envs" && rmdir "$group/envs"'

async function canMakeScope(host: CgroupHost, {mount}: Place): Promise<boolean> {
  if (host.which('systemd-run') === undefined || !existsSync(join(managerFolder(host), 'systemd')))
    return false
  const words = [...scopeWords(host), '/bin/sh', '-c', MAKE_GROUP, mount]
  return (await capture(words, {timeout: TIMEOUT_MS})).status === 0
}

async function canMountFuse(host: CgroupHost, {mount, own}: Place): Promise<boolean> {
  const perl = findPerl(host)
  const cgroups = makeBelieve(mount, own)
  if (perl === undefined || cgroups === undefined || !isWritable('/dev/fuse')) return false
  if (host.which('unshare') === undefined) return false
  const {unshare, mount: mountCall} = systemCalls(host.architecture)
  const numbers = [unshare, mountCall].join(',')
  // Without paths nothing is remembered: `envs doctor` writes no file.
  const {paths: _, ...forgetful} = host
  const prefix = await namespacePrefix('emulated', forgetful)
  const argv = [
    ...prefix,
    ...scriptWords(perl, 'namespaces/try-fuse'),
    numbers,
    join(cgroups.top, cgroups.name),
  ]
  return (await capture(argv, {timeout: TIMEOUT_MS})).status === 0
}

/** Groups that systemd never removes, and what a host without it has. */
const LASTING: readonly string[] = ['init.scope', 'system.slice', 'user.slice']

/** The groups of the user's session, or any other: only its file system matters. */
function makeBelieve(
  mount: string,
  own: string,
): (GuestCgroups & {readonly kind: 'make-believe'}) | undefined {
  if (own !== mount && isFolder(own)) return {kind: 'make-believe', top: dirname(own), name: basename(own)}
  const name = [...LASTING, ...namesIn(mount)].find((entry) => isFolder(join(mount, entry)))
  return name === undefined ? undefined : {kind: 'make-believe', top: mount, name}
}

function isFolder(path: string): boolean {
  return statSync(path, {throwIfNoEntry: false})?.isDirectory() === true
}

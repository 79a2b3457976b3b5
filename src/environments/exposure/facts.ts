import {readFileSync, readlinkSync, statSync} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {ioctlKind} from '../../host/machine/arch.js'
import {capture, findPerl, scriptWords} from '../../host/process.js'
import {CAPABILITIES, type Capability, capabilitiesOfMask} from '../../sandbox/confinement/capabilities.js'
import {MASKED_FILES} from '../../sandbox/confinement/confinement.js'
import {listeningSockets} from '../../sandbox/listening-ports.js'
import type {SandboxSpec} from '../../sandbox/spec.js'
import type {EnvironmentRecord} from '../../store/record.js'

/** Kinds of namespaces that an environment may share with the host. */
export const NAMESPACE_KINDS = ['pid', 'ipc', 'uts', 'net', 'cgroup', 'time'] as const

export type NamespaceKind = (typeof NAMESPACE_KINDS)[number]

/** A folder or file of the host in an environment. */
export type Share = {readonly source: string; readonly at: string; readonly access: 'rw' | 'ro'}

/** The facts from which a report follows: of the kernel for a running environment, of its next start for a stopped one. */
export type ExposureFacts = {
  /** Ids that the user namespace of the guest has. */
  readonly ids: number
  /** Whether the guest's root is uid 0 of the host. */
  readonly isHostsRoot: boolean
  /** Whether the guest's root can change the mounts. */
  readonly ownsMounts: boolean
  /** Whether the guest's root can change the network. */
  readonly ownsNetwork: boolean
  readonly shared: readonly NamespaceKind[]
  /** Names of the network interfaces but the loopback; empty for those of the host. */
  readonly interfaces: readonly string[]
  readonly listening: readonly string[]
  /** Count of abstract sockets in the network; undefined for a network of its own. */
  readonly abstractSockets: number | undefined
  readonly hasSysfs: boolean
  readonly hasKernelFiles: boolean
  readonly isRootReadOnly: boolean
  readonly shares: readonly Share[]
  readonly capabilities: readonly Capability[]
  /** Processes without a filter. */
  readonly unfiltered: number
}

/**
 * Reads the facts of a running environment. Runs nothing inside, and believes nothing that a guest can write.
 *
 * @param pid - Its first process.
 * @param others - Its other processes, by the host's ids.
 * @returns undefined if the process has ended.
 */
export async function readFacts(
  host: Host,
  pid: number,
  others: readonly number[],
): Promise<ExposureFacts | undefined> {
  const status = statusOf(pid)
  const mounts = mountsOf(pid)
  const guest = namespaceOf(pid, 'user')
  if (status === undefined || mounts === undefined || guest === undefined) return undefined
  const owners = await readOwners(host, [pid, ...others])
  // Others belong to the guest, or to the host in the moment in which a session begins.
  const ofSessions = others.filter((each) => owners.get(`${each} mnt`) === owners.get(`${pid} mnt`))
  const shared = NAMESPACE_KINDS.filter((kind) => namespaceOf(pid, kind) === namespaceOf('self', kind))
  const hasOwnNetwork = !shared.includes('net')
  const has = (at: string) => mounts.some((mount) => mount.at === at)
  return {
    ids: idsOf(pid),
    isHostsRoot: host.uid === 0,
    ownsMounts: owners.get(`${pid} mnt`) === guest,
    ownsNetwork: owners.get(`${pid} net`) === guest,
    shared,
    interfaces: hasOwnNetwork ? interfacesOf(pid) : [],
    listening: hasOwnNetwork ? listeningOf(pid) : [],
    abstractSockets: hasOwnNetwork ? undefined : countAbstract(pid),
    hasSysfs: mounts.some(({at, type}) => type === 'sysfs' && (at === '/sys' || at.startsWith('/sys/'))),
    hasKernelFiles: !MASKED_FILES.some(has),
    isRootReadOnly: mounts.find(({at}) => at === '/')?.access === 'ro',
    shares: sharesOf(ofSessions, mounts),
    capabilities: capabilitiesOf(status),
    unfiltered: [pid, ...others].filter(isUnfiltered).length,
  }
}

/** Returns the facts of a stopped environment, which its next start would make. */
export function factsOfSpec(
  host: Pick<Host, 'uid'>,
  spec: SandboxSpec,
  {identity, ids}: Pick<EnvironmentRecord, 'identity' | 'ids'>,
): ExposureFacts {
  const {guest} = spec.userNamespace
  const hasOwnNetwork = spec.network === 'own' || spec.ownNetwork !== undefined
  const leadsOut = spec.ownNetwork !== undefined && spec.ownNetwork !== 'none'
  const {mounts} = spec
  return {
    ids: identity === 'emulated' ? 1 : (ids?.uids ?? []).reduce((sum, {count}) => sum + count, 0),
    isHostsRoot: host.uid === 0,
    ownsMounts: guest === 'only',
    ownsNetwork: guest === 'only' && hasOwnNetwork,
    shared: ['cgroup', 'time', ...(hasOwnNetwork ? [] : (['net'] as const))],
    interfaces: leadsOut ? [String(spec.ownNetwork)] : [],
    listening: [],
    abstractSockets: hasOwnNetwork ? undefined : countAbstract('self'),
    hasSysfs: spec.boot !== undefined || mounts.some(({at}) => at === '/sys'),
    hasKernelFiles: !mounts.some(({at}) => MASKED_FILES.includes(at)),
    isRootReadOnly: spec.isRootReadOnly === true,
    shares: [],
    capabilities: spec.capabilities ?? CAPABILITIES,
    unfiltered: 0,
  }
}

function readText(path: string): string | undefined {
  return unlessErrno(() => readFileSync(path, 'latin1'))
}

function statusOf(pid: number): string | undefined {
  return readText(`/proc/${pid}/status`)
}

function namespaceOf(pid: number | 'self', kind: NamespaceKind | 'user'): string | undefined {
  const target = unlessErrno(() => readlinkSync(`/proc/${pid}/ns/${kind}`))
  return /\[(?<inode>\d+)\]$/.exec(target ?? '')?.groups?.['inode']
}

function idsOf(pid: number): number {
  const lines = (readText(`/proc/${pid}/uid_map`) ?? '').trim().split('\n')
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2] ?? 0), 0)
}

/**
 * A program that joins is hidden until it is the command of the guest, and gets its filter in that time. The kernel gives its files in
 * /proc to root then. @see proc(5), PR_SET_DUMPABLE(2const)
 */
function isUnfiltered(pid: number): boolean {
  const owner = statSync(`/proc/${pid}/status`, {throwIfNoEntry: false})?.uid
  return owner !== 0 && /^Seccomp:\t0$/m.test(statusOf(pid) ?? '')
}

/** Returns the inodes of the user namespaces that own mounts and networks, by the process id and `mnt` or `net`. */
async function readOwners(host: Host, pids: readonly number[]): Promise<ReadonlyMap<string, string>> {
  const perl = findPerl(host)
  if (perl === undefined) return new Map()
  const words = [...scriptWords(perl, 'namespaces/owners'), ioctlKind(host.architecture), ...pids.map(String)]
  const {stdout} = await capture(words, {cwd: '/', timeout: OWNERS_DEADLINE_MS})
  return new Map([...stdout.matchAll(/^(\d+ \w+) (\d+)$/gm)].map(([, key = '', inode = '']) => [key, inode]))
}

const OWNERS_DEADLINE_MS = 5000

type MountLine = Share & {readonly type: string}

/** Reads the mounts of a process. @see proc_pid_mountinfo(5) */
function mountsOf(pid: number): MountLine[] | undefined {
  return readText(`/proc/${pid}/mountinfo`)
    ?.trimEnd()
    .split('\n')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const [, , , source = '', at = '', options = ''] = before.split(' ')
      return {
        source: unescaped(source),
        at: unescaped(at),
        access: options.split(',').includes('ro') ? 'ro' : 'rw',
        type: after.split(' ')[0] ?? '',
      }
    })
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

/** Returns the mounts of sessions that the first process does not have, but for empty folders in memory (`--read-only`). */
function sharesOf(pids: readonly number[], own: readonly MountLine[]): Share[] {
  const usual = new Set(own.map(({at}) => at))
  const found = new Map<string, Share>()
  for (const pid of pids)
    for (const {source, at, access, type} of mountsOf(pid) ?? [])
      if (!usual.has(at) && !(type === 'tmpfs' && source === '/'))
        found.set(`${at}\0${source}`, {source, at, access})
  return [...found.values()]
}

/** Programs of root get the whole bounding set, unless "no new privileges" forbids it. @see capabilities(7) */
function capabilitiesOf(status: string): Capability[] {
  const field = /^NoNewPrivs:\t1$/m.test(status) ? 'CapPrm' : 'CapBnd'
  return capabilitiesOfMask(new RegExp(`^${field}:\\t([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0')
}

function interfacesOf(pid: number): string[] {
  const text = readText(`/proc/${pid}/net/dev`) ?? ''
  return [...text.matchAll(/^\s*([^\s:]+):/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'lo' && name !== '' && !UNUSED_INTERFACES.test(name))
}

/** Of tunnels, which the kernel makes in each network, and which lead nowhere. */
const UNUSED_INTERFACES = /^(?:tunl|gre|gretap|erspan|sit|ip6tnl|ip6gre|ip_vti|ip6_vti|ifb)\d/

function listeningOf(pid: number): string[] {
  return [...listeningSockets(pid).values()].map(
    ({protocol, address, port}) => `${protocol} port ${port} of ${address}`,
  )
}

function countAbstract(pid: number | 'self'): number {
  return (readText(`/proc/${pid}/net/unix`) ?? '').match(/ @\S/g)?.length ?? 0
}

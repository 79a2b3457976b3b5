import {CAPABILITIES, type Capability} from '../../sandbox/confinement/capabilities.js'
import type {Profile} from '../../sandbox/confinement/confinement.js'
import type {ExposureFacts, NamespaceKind, Share} from './facts.js'
import type {ExposureLevel} from './levels.js'
import type {ExposureLine} from './results.js'

/** The settings that tell what the kernel does not. */
type JudgedSettings = {
  readonly profile: Profile
  /** Hosts that it reaches through the proxy of envs. */
  readonly allowedHosts?: readonly string[]
  /** Ports of the host that programs of envs lead to it. */
  readonly publications?: readonly string[]
}

/** Returns the lines of a report: what the environment can see and use of the host, with a level each. */
export function judgeExposure(
  facts: ExposureFacts,
  {profile, allowedHosts = [], publications = []}: JudgedSettings,
): ExposureLine[] {
  return [
    judgeIdentity(facts),
    judgeMounts(facts),
    ...(facts.isRootReadOnly
      ? [line('mounts', 'none', 'read-only', 'nobody inside can change its files')]
      : []),
    ...judgeNetwork(facts),
    ...(allowedHosts.length > 0
      ? [line('network', 'medium', 'allowed-hosts', `by HTTP and HTTPS: ${allowedHosts.join(', ')}`)]
      : []),
    ...facts.listening.map((text) =>
      line('ports', 'low', 'listening', `a program inside listens on ${text}`),
    ),
    ...publications.map((text) =>
      line('ports', 'low', 'published', `a port of the host leads to it: ${text}`),
    ),
    ...facts.shared.flatMap(judgeNamespace),
    ...facts.shares.map(judgeShare),
    ...judgeKernel(facts, profile),
    judgeCapabilities(facts.capabilities),
  ]
}

/** The report of an environment that proot runs. */
export const WITHOUT_ISOLATION: readonly ExposureLine[] = [
  line(
    'mounts',
    'high',
    'host-files',
    'proot does not isolate: programs inside can read and change all your files',
  ),
]

function line(area: ExposureLine['area'], level: ExposureLevel, code: string, text: string): ExposureLine {
  return {area, level, code, text}
}

function judgeIdentity({ids, isHostsRoot}: ExposureFacts): ExposureLine {
  if (isHostsRoot)
    return line('identity', 'high', 'hosts-root', 'its root has uid 0 of the host, without its capabilities')
  return ids > 1
    ? line(
        'identity',
        'low',
        'mapped',
        `its root is you for the kernel; its other users are ids of your subordinate range (${ids} in all)`,
      )
    : line('identity', 'low', 'emulated', 'its root and its other users are you for the kernel')
}

function judgeMounts({ownsMounts}: ExposureFacts): ExposureLine {
  return ownsMounts
    ? line(
        'mounts',
        'medium',
        'own-mounts',
        'its root can change its mounts: it can write to volumes with :ro, and uncover parts of /sys',
      )
    : line('mounts', 'none', 'locked', 'its root can change none of its mounts: read-only ones stay so')
}

function judgeNetwork({shared, abstractSockets, interfaces, ownsNetwork}: ExposureFacts): ExposureLine[] {
  if (shared.includes('net'))
    return [
      line(
        'network',
        'high',
        'host',
        `the host's network: each address that you reach, services of the loopback, and ${abstractSockets ?? 0} abstract sockets`,
      ),
    ]
  const own = interfaces.length > 0
  return [
    own
      ? line('network', 'medium', 'private', `a network of its own that leads out (${interfaces.join(', ')})`)
      : line('network', 'none', 'none', 'no network but its own loopback'),
    ...(ownsNetwork
      ? [line('network', 'low', 'own-rules', 'its root can change the addresses and routes of its network')]
      : []),
  ]
}

const SHARED: Readonly<Record<Exclude<NamespaceKind, 'net'>, readonly [ExposureLevel, string]>> = {
  pid: ['high', 'it sees the processes of the host'],
  ipc: ['high', "it reaches the host's shared memory and message queues"],
  uts: ['low', "it has the host's name"],
  cgroup: ['low', 'it sees the names of your control groups'],
  time: ['low', 'it sees how long the host has been up'],
}

function judgeNamespace(kind: NamespaceKind): ExposureLine[] {
  return kind === 'net' ? [] : [line('namespaces', SHARED[kind][0], kind, SHARED[kind][1])]
}

function judgeShare({source, at, access}: Share): ExposureLine {
  return access === 'rw'
    ? line('shares', 'high', 'volume', `a session reads and writes ${source} of the host at ${at}`)
    : line('shares', 'medium', 'volume-read-only', `a session reads ${source} of the host at ${at}`)
}

function judgeKernel(
  {hasSysfs, hasKernelFiles, unfiltered, ids}: ExposureFacts,
  profile: Profile,
): ExposureLine[] {
  const hasNested = profile !== 'isolated' || ids === 1
  return [
    ...(hasSysfs ? [line('kernel', 'medium', 'sysfs', "the host's hardware, in /sys, to read")] : []),
    ...(hasKernelFiles
      ? [line('kernel', 'low', 'proc', "facts about the host's kernel, in /proc, to read")]
      : []),
    ...(hasNested
      ? [
          line(
            'kernel',
            'medium',
            'user-namespaces',
            'its users can make user namespaces, in which more of the kernel is within reach',
          ),
        ]
      : []),
    unfiltered > 0
      ? line('kernel', 'high', 'unfiltered', `${unfiltered} of its processes have no filter of system calls`)
      : line('kernel', ...FILTERS[profile]),
  ]
}

/** The kernel tells that there is a filter, and not its rules: these are those that envs has set. */
const FILTERS: Readonly<Record<Profile, readonly [level: ExposureLevel, code: string, text: string]>> = {
  trusted: ['medium', 'filter-trusted', 'system calls: all but those that no environment needs'],
  default: ['low', 'filter-default', 'system calls: without io_uring and rare kinds of sockets, too'],
  isolated: ['none', 'filter-isolated', 'system calls: without mounts, tracing and setns, too'],
}

function judgeCapabilities(capabilities: readonly Capability[]): ExposureLine {
  return capabilities.length >= CAPABILITIES.length
    ? line('capabilities', 'low', 'all', 'its root has all capabilities over what belongs to the environment')
    : line(
        'capabilities',
        'none',
        'some',
        `its root has ${capabilities.length === 0 ? 'no capability' : capabilities.join(', ')}`,
      )
}

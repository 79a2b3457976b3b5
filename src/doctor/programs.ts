import {readdir} from 'node:fs/promises'
import {release} from 'node:os'
import {type Check, fail, pass, warn} from '../host/check.js'
import type {Host} from '../host/host.js'
import {type MapperHost, probeMapped} from '../host/id-mapping.js'
import {DEB_ARCHITECTURES, type DebArchitecture, runsAsItIs} from '../host/machine/arch.js'
import {isAtLeast, MAP_AUTO_SINCE, utilLinuxVersion} from '../host/machine/os-release.js'
import {findQemu} from '../host/machine/qemu.js'
import {findPerl} from '../host/process.js'
import {installSteps} from './remedies.js'
import {readKernelSetting, runTrial} from './trial.js'

const ACTIONS = '/proc/sys/kernel/seccomp/actions_avail'

/** Facts about the kernel. */
export type KernelFacts = {
  /** As printed by `uname -r`. */
  readonly release: string
  /** Value of {@link ACTIONS}, words separated by spaces; undefined if the kernel lacks it. */
  readonly seccompActions: string | undefined
}

export async function checkKernel(): Promise<Check<'kernel'>> {
  return judgeKernel({release: release(), seccompActions: await readKernelSetting(ACTIONS)})
}

export function judgeKernel({release: name, seccompActions}: KernelFacts): Check<'kernel'> {
  if (isWsl1(name)) {
    return fail('kernel', {
      evidence: `${name}: this is WSL 1, which has no Linux kernel and so no namespaces.`,
      cost: 'envs cannot enter any environment.',
      remedy: 'Convert this distribution on Windows: wsl.exe --set-version NAME 2',
    })
  }
  if (seccompActions === undefined || !seccompActions.split(' ').includes('errno')) {
    return fail('kernel', {
      evidence: `${name}: ${ACTIONS} is ${seccompActions ?? 'absent'}, so the kernel takes no system call filters.`,
      cost: 'envs cannot enter any environment: each one starts under such a filter.',
      remedy: 'Ask an administrator for a kernel with CONFIG_SECCOMP_FILTER, which all distributions have.',
    })
  }
  const wsl = isWsl(name) ? ' This is WSL 2: keep environments on its own disk, not below /mnt.' : ''
  if (isBefore(name, 5, 11)) {
    return warn('kernel', {
      evidence: `Linux ${name}.${wsl}`,
      cost: 'There are no layers and no snapshots (Linux 5.11), and folders cannot be shared read-only (Linux 5.12).',
      remedy: 'Ask an administrator for a newer kernel.',
    })
  }
  if (isBefore(name, 5, 12)) {
    return warn('kernel', {
      evidence: `Linux ${name}.${wsl}`,
      cost: 'Folders cannot be shared read-only.',
      remedy: 'Ask an administrator for Linux 5.12 or later.',
    })
  }
  return pass('kernel', `Linux ${name}.${wsl}`)
}

function isWsl(name: string): boolean {
  return /microsoft/i.test(name)
}

/**
 * Its version is that of the imitated kernel. @see https://learn.microsoft.com/windows/wsl/compare-versions
 */
function isWsl1(name: string): boolean {
  return /-Microsoft$/.test(name)
}

function isBefore(name: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = name.split('.').map((part) => Number.parseInt(part, 10))
  return first < major || (first === major && second < minor)
}

const COST = 'envs cannot enter any environment.'

/** Has bwrap make the user namespace. */
const OWN_USER = ['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL']

/** Enters the host's own tree, with the namespaces, proc and dev of a real environment. */
const TRIAL = [
  ...[
    '--ro-bind',
    '/',
    '/',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--',
    'true',
  ],
]

/** The result of a trial of bubblewrap. */
export type BubblewrapFacts = {
  /** Its absolute path; undefined if there is none. */
  readonly path: string | undefined
  /** Output of --version. */
  readonly version: string
  readonly status: number
  /** Last line of its output; untrusted. */
  readonly message: string
  /** ID of os-release(5). */
  readonly distribution: string | undefined
}

/** Enters the host's own tree with bwrap, read-only. */
export async function checkBubblewrap(
  {which}: Pick<Host, 'which'>,
  distribution: string | undefined,
): Promise<Check<'bubblewrap'>> {
  const path = which('bwrap')
  if (path === undefined) return judgeBubblewrap({path, version: '', status: 0, message: '', distribution})
  const [version, alone] = await Promise.all([
    runTrial([path, '--version']),
    runTrial([path, ...OWN_USER, ...TRIAL]),
  ])
  // AppArmor may let unshare alone make a user namespace: bwrap is started in it.
  const unshare = which('unshare')
  const trial =
    alone.status === 0 || unshare === undefined
      ? alone
      : await runTrial([unshare, '--user', '--map-root-user', '--', path, ...TRIAL])
  return judgeBubblewrap({
    path,
    version: version.stdout.trim() || 'bwrap',
    status: trial.status,
    message: trial.stderr.trim().split('\n').at(-1) ?? '',
    distribution,
  })
}

export function judgeBubblewrap({
  path,
  version,
  status,
  message,
  distribution,
}: BubblewrapFacts): Check<'bubblewrap'> {
  if (path === undefined) {
    return fail('bubblewrap', {
      evidence: 'bwrap was not found.',
      cost: COST,
      remedy:
        'Ask an administrator to install the package bubblewrap, or download it into your own folder: envs doctor --fetch bubblewrap',
      request: {
        steps: installSteps(distribution, 'bubblewrap'),
        opens: 'Nothing: bwrap has only the privileges of its caller.',
      },
    })
  }
  if (status === 0) return pass('bubblewrap', `${version} at ${path}.`)
  return fail('bubblewrap', {
    evidence: `${version} at ${path} ended with status ${status}: ${message}`,
    cost: COST,
    remedy:
      'See the checks of user namespaces, AppArmor and /proc; if they pass, the evidence here is for a bug report.',
  })
}

const PROGRAMS = ['unshare', 'nsenter', 'flock'] as const

/** Programs that make, join and lock namespaces. */
export async function checkUtilLinux(
  host: MapperHost,
  distribution: string | undefined,
): Promise<Check<'util-linux'>> {
  const {which} = host
  const missing = PROGRAMS.filter((program) => which(program) === undefined)
  if (missing.length > 0) {
    return fail('util-linux', {
      evidence: `Not found: ${missing.join(', ')}.`,
      cost: 'No environment can be locked, entered or removed.',
      remedy: 'Ask an administrator to install the package util-linux.',
      request: {
        steps: installSteps(distribution, 'util-linux'),
        opens: 'Nothing: every distribution has the setuid programs of util-linux.',
      },
    })
  }
  const version = await utilLinuxVersion(which('unshare') ?? 'unshare')
  if (version !== undefined && isAtLeast(version, MAP_AUTO_SINCE)) {
    return pass('util-linux', `util-linux ${version.major}.${version.minor}: ${PROGRAMS.join(', ')}.`)
  }
  const seen =
    version === undefined
      ? `${which('unshare')} is not the one of util-linux`
      : `util-linux ${version.major}.${version.minor}`
  const probe = await probeMapped(host)
  if (probe.works) return pass('util-linux', `${seen}; newuidmap maps ids instead.`)
  if (probe.reason !== 'old-util-linux') return pass('util-linux', `${seen}: ${PROGRAMS.join(', ')}.`)
  return warn('util-linux', {
    evidence: `${seen}.`,
    cost: 'No range of ids can be mapped: environments are emulated, and all files belong to one user.',
    remedy:
      'Download perl into your own folder: envs doctor --fetch perl. Or ask an administrator for util-linux 2.38 or later.',
  })
}

const TROUBLE = {
  cost: 'envs cannot create or enter environments: a Perl program joins them and loads their system call filter. Existing environments can be listed, shown, stopped, renamed and removed, and images can be downloaded.',
  remedy:
    'Ask an administrator to install the package perl-base, or download it into your own folder: envs doctor --fetch perl',
}

/** Prints the version if the only module that sessions load exists. */
const LAUNCHER_TRIAL = ['-e', 'use strict; printf "%vd", $^V']

/** Runs Perl, which makes the system calls that Node lacks. */
export async function checkLauncher(
  host: Pick<Host, 'which'>,
  distribution: string | undefined,
): Promise<Check<'launcher'>> {
  const request = {
    steps: installSteps(distribution, 'perl-base'),
    opens: 'Nothing: perl is an interpreter without privileges of its own.',
  }
  const perl = findPerl(host)
  if (perl === undefined) {
    const evidence = `perl was not found.${await noteSetpriv(host)}`
    return fail('launcher', {...TROUBLE, request, evidence})
  }
  const {status, stdout} = await runTrial([perl, ...LAUNCHER_TRIAL])
  return status === 0
    ? pass('launcher', `perl ${stdout} at ${perl}.`)
    : fail('launcher', {...TROUBLE, request, evidence: `${perl} ended with status ${status}.`})
}

/** Tries the option itself: setpriv has it since util-linux 2.41. */
async function noteSetpriv({which}: Pick<Host, 'which'>): Promise<string> {
  const setpriv = which('setpriv')
  if (setpriv === undefined) return ''
  const {status} = await runTrial([setpriv, '--seccomp-filter', '/dev/null', '--version'])
  return status === 0 ? ' setpriv can load a filter, but cannot join an environment.' : ''
}

const BINFMT = '/proc/sys/fs/binfmt_misc'

/** Interpreters for programs of other processors. */
export type ProcessorFacts = {
  readonly architecture: DebArchitecture
  /** Processors with an interpreter registered in the kernel, by QEMU's names. */
  readonly registered: readonly string[]
  /** Processors for which envs has a QEMU. */
  readonly emulated?: readonly DebArchitecture[]
}

export async function checkProcessors(
  host: Pick<Host, 'architecture' | 'which' | 'paths'>,
): Promise<Check<'processors'>> {
  const {architecture} = host
  const entries: string[] = await readdir(BINFMT).catch(() => [])
  const registered = entries.flatMap(
    (entry) => /^qemu-(?<name>[a-z0-9_]+)$/.exec(entry)?.groups?.['name'] ?? [],
  )
  const emulated = DEB_ARCHITECTURES.filter(
    (other) => !runsAsItIs(architecture, other) && findQemu(host, other) !== undefined,
  )
  return judgeProcessors({architecture, registered: registered.sort(), emulated})
}

const PROCESSORS = {id: 'processors', title: 'Other processors'} as const

/** Never a warning: few users need an environment for another processor. */
export function judgeProcessors({
  architecture,
  registered,
  emulated = [],
}: ProcessorFacts): Check<'processors'> {
  if (registered.length === 0 && emulated.length > 0)
    return pass(
      PROCESSORS,
      `Programs of ${architecture}, and with QEMU, in environments, of ${emulated.join(', ')}.`,
    )
  if (registered.length === 0)
    return pass(PROCESSORS, `Programs of ${architecture} only: ${BINFMT} has no QEMU interpreter.`)
  return pass(PROCESSORS, `Programs of ${architecture}, and with QEMU of ${registered.join(', ')}.`)
}

/** The first version with all features that envs uses; the same as package.json's engines. */
const WANTED = {major: 20, minor: 17}

export function checkNode(): Check<'node'> {
  return judgeNode(process.versions.node)
}

const NODE = {id: 'node', title: 'Node.js'} as const

/** @param version - Such as `20.17.0`. */
export function judgeNode(version: string): Check<'node'> {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > WANTED.major || (major === WANTED.major && minor >= WANTED.minor))
    return pass(NODE, `${version}.`)
  return fail(NODE, {
    evidence: `${version}.`,
    cost: 'envs may end with syntax errors.',
    remedy: `Install Node.js ${WANTED.major}.${WANTED.minor} or later; your home folder will do.`,
  })
}

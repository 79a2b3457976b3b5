import type {Host} from '../host/host.js'
import type {MapperHost} from '../host/id-mapping.js'
import {systemCalls} from '../host/machine/arch.js'
import {findPerl, requirePerl, type Script, scriptWords} from '../host/process.js'
import type {KnowingHost} from '../host/trials.js'
import type {CopyGuard} from '../rootfs/copy.js'
import type {TreeProcess} from '../rootfs/worker/api.js'
import {GUEST_PATH} from '../sandbox/constants.js'
import {ToolMissingError} from '../sandbox/errors.js'
import {canMakeRoot, type Identity, namespacePrefix, treePrefix} from '../sandbox/identity.js'
import type {Inspector} from '../sandbox/inspection.js'
import type {SignalSender} from '../sandbox/processes.js'

const PACKAGES = {
  bwrap: 'bubblewrap',
  cp: 'coreutils',
  mount: 'mount',
  newgidmap: 'uidmap',
  newuidmap: 'uidmap',
  nsenter: 'util-linux',
  proot: 'proot',
  unshare: 'util-linux',
} as const

export type Tool = keyof typeof PACKAGES

/** Returns the absolute path of a program that the sandbox needs. @throws {ToolMissingError} */
export function toolPath(host: Pick<Host, 'which'>, tool: Tool): string {
  const path = host.which(tool)
  if (path === undefined) throw new ToolMissingError(tool, PACKAGES[tool])
  return path
}

/** Returns the argv prefix of templates/host/session.pl. @throws {PerlMissingError} */
export function sessionLauncher(host: Pick<Host, 'which'>): string[] {
  return launcherOf(host, 'session')
}

/** Returns the argv prefix that starts a program under a seccomp filter. @throws {PerlMissingError} */
export function filterLoader(host: Pick<Host, 'which'>): string[] {
  return launcherOf(host, 'load-filter')
}

/** Returns the program that sends signals to all processes of an environment. @throws {PerlMissingError} */
export function signalSender(host: Pick<Host, 'which' | 'architecture'>): SignalSender {
  return {launcher: launcherOf(host, 'signal-all'), architecture: host.architecture}
}

/** Returns the program that reads processes with other users' ids. @throws {PerlMissingError} */
export function processInspector(host: Pick<Host, 'which' | 'architecture'>): Inspector {
  return {launcher: launcherOf(host, 'inspect'), architecture: host.architecture}
}

/** Returns the program that copies a tree safely while others change it. @throws {PerlMissingError} */
export function copyGuard(host: Pick<Host, 'which' | 'architecture'>): CopyGuard {
  return {launcher: launcherOf(host, 'files/copy-tree'), architecture: host.architecture}
}

function launcherOf(host: Pick<Host, 'which'>, script: Script): string[] {
  return scriptWords(requirePerl(host), script)
}

/**
 * Returns the way to start programs that work on a tree of this identity and see its owners.
 *
 * @throws {IdentityUnavailableError} When this host can no longer provide `mapped`.
 */
export async function treeProcess(
  host: MapperHost & Pick<Host, 'environment'>,
  identity: Identity,
): Promise<TreeProcess> {
  return processBehind(host, await treePrefix(identity, host))
}

/**
 * As {@link treeProcess}, but as root of a user namespace for `emulated` too: root is not bound by the modes of a tree. On a host
 * that makes no user namespace with capabilities, programs run as the user and report each unreadable file.
 *
 * @throws As {@link treeProcess}, and {ToolMissingError}.
 */
export async function rootProcess(
  host: MapperHost & Pick<Host, 'environment'>,
  identity: Identity,
): Promise<TreeProcess> {
  return processBehind(host, (await canBeRoot(host, identity)) ? await namespacePrefix(identity, host) : [])
}

/** Returns whether a program of the host may be root of a user namespace; a caller has already probed `mapped`. */
export async function canBeRoot(host: KnowingHost, identity: Identity): Promise<boolean> {
  return identity === 'mapped' || canMakeRoot(host)
}

/** Variables that locate downloaded programs: Perl may be one of them. */
const FOLDER_VARIABLES = ['HOME', 'ENVS_HOME', 'XDG_DATA_HOME'] as const

/**
 * Returns the way to start programs behind a prefix that makes them root of a tree's user namespace. The programs end with this
 * process, because nothing would use their results.
 */
export function processBehind(
  host: Pick<Host, 'which' | 'architecture' | 'environment'>,
  prefix: readonly string[],
): TreeProcess {
  const {environment} = host
  const folders = FOLDER_VARIABLES.flatMap((name) => {
    const value = environment[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    prefix: [...prefix, ...dieWithParent(host)],
    environment: {PATH: environment['PATH'] ?? GUEST_PATH, ...Object.fromEntries(folders)},
  }
}

/**
 * Returns a prefix that ends a program with its parent. Without Perl a worker ends at its next progress report.
 *
 * @see PR_SET_PDEATHSIG(2const)
 */
function dieWithParent(host: Pick<Host, 'which' | 'architecture'>): string[] {
  const perl = findPerl(host)
  if (perl === undefined) return []
  const {prctl} = systemCalls(host.architecture)
  return [...scriptWords(perl, 'die-with-parent'), String(prctl), String(process.pid)]
}

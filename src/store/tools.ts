import {systemCalls} from '../host/arch.js'
import type {Host} from '../host/host.js'
import {type MapperHost, succeeds} from '../host/id-mapping.js'
import {findPerl, requirePerl, type Script, scriptWords} from '../host/process.js'
import type {CopyGuard} from '../rootfs/copy.js'
import type {TreeProcess} from '../rootfs/worker/api.js'
import {GUEST_PATH} from '../sandbox/constants.js'
import {ToolMissingError} from '../sandbox/errors.js'
import {type Identity, namespacePrefix, treePrefix} from '../sandbox/identity.js'
import type {SignalSender} from '../sandbox/processes.js'

const PACKAGES = {
  bwrap: 'bubblewrap',
  cp: 'coreutils',
  mount: 'mount',
  nsenter: 'util-linux',
  proot: 'proot',
  unshare: 'util-linux',
} as const

export type Tool = keyof typeof PACKAGES

/** Absolute path of a program the sandbox is built from. @throws {ToolMissingError} */
export function toolPath(host: Pick<Host, 'which'>, tool: Tool): string {
  const path = host.which(tool)
  if (path === undefined) throw new ToolMissingError(tool, PACKAGES[tool])
  return path
}

/** Words that start the program of a session. @throws {PerlMissingError} */
export function sessionLauncher(host: Pick<Host, 'which'>): string[] {
  return launcherOf(host, 'session')
}

/** Words that start a program under a filter. @throws {PerlMissingError} */
export function filterLoader(host: Pick<Host, 'which'>): string[] {
  return launcherOf(host, 'load-filter')
}

/** Who sends signals to all of an environment. @throws {PerlMissingError} */
export function signalSender(host: Pick<Host, 'which' | 'architecture'>): SignalSender {
  return {launcher: launcherOf(host, 'signal-all'), architecture: host.architecture}
}

/** What copies a tree that somebody may change meanwhile. @throws {PerlMissingError} */
export function copyGuard(host: Pick<Host, 'which' | 'architecture'>): CopyGuard {
  return {launcher: launcherOf(host, 'copy-tree'), architecture: host.architecture}
}

function launcherOf(host: Pick<Host, 'which'>, script: Script): string[] {
  return scriptWords(requirePerl(host), script)
}

/**
 * How programs that work on a tree of this identity are started, so that they see its owners.
 *
 * @throws {IdentityUnavailableError} When this host has lost what `mapped` needs.
 */
export async function treeProcess(
  host: MapperHost & Pick<Host, 'environment'>,
  identity: Identity,
): Promise<TreeProcess> {
  return processBehind(host, await treePrefix(identity, host))
}

/**
 * As root of a user namespace in `emulated` too, where modes of a tree then forbid nothing. On a host that refuses one to all but
 * bwrap, as Ubuntu 26.04 does, as the user: what the tree's owner may not read is then told of, file by file.
 *
 * @throws As {@link treeProcess}, and {ToolMissingError}.
 */
export async function rootProcess(
  host: MapperHost & Pick<Host, 'environment'>,
  identity: Identity,
): Promise<TreeProcess> {
  return processBehind(host, (await canBeRoot(host, identity)) ? await namespacePrefix(identity, host) : [])
}

/** Whether a program of the host may be root of a user namespace; what `mapped` needs was looked at by then. */
export async function canBeRoot(host: MapperHost, identity: Identity): Promise<boolean> {
  return identity === 'mapped' || succeeds([...(await namespacePrefix(identity, host)), '/bin/sh', '-c', ':'])
}

/** What a program of envs finds fetched programs by: it looks for Perl too. */
const FOLDER_VARIABLES = ['HOME', 'ENVS_HOME', 'XDG_DATA_HOME'] as const

/**
 * How programs that work on a tree are started behind words that make them root of its user namespace. None outlives this
 * process: what it makes would be thrown away.
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

/** Without Perl a worker learns of it when it next tells of its progress. @see PR_SET_PDEATHSIG(2const) */
function dieWithParent(host: Pick<Host, 'which' | 'architecture'>): string[] {
  const perl = findPerl(host)
  if (perl === undefined) return []
  const {prctl} = systemCalls(host.architecture)
  return [...scriptWords(perl, 'die-with-parent'), String(prctl), String(process.pid)]
}

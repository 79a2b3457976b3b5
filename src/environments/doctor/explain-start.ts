import {lstatSync} from 'node:fs'
import {join} from 'node:path'
import {type CheckId, examineHost, type HostCheck} from '../../doctor/index.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {ENGINES, tryEngines} from '../../sandbox/engines/select.js'
import {AnchorFailedError, EngineUnavailableError} from '../../sandbox/errors.js'
import type {Environment} from '../../store/environments.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import type {EnvironmentRecord} from '../../store/record.js'

/** Checks that a start depends on, the likeliest cause first. */
const DECISIVE: readonly CheckId[] = [
  ...(['execution', 'disk', 'user-namespaces', 'apparmor', 'proc', 'kernel'] as const),
  ...(['bubblewrap', 'util-linux'] as const),
]

/**
 * Explains why the first process of an environment did not start: looks for a shell in its tree, then examines the host.
 * The output of the process is not trusted as an explanation.
 *
 * @returns The same error, with the explanation if one was found.
 */
export async function explainStart(
  host: Host,
  error: AnchorFailedError,
  environment: Environment,
): Promise<AnchorFailedError> {
  const folders = treeFolders(host.paths, await readGuestTree(environment))
  const explanation = lacksShell(folders)
    ? 'no shell'
    : chooseExplanation(await examineHost(host), environment.record.identity)
  return explanation === undefined
    ? error
    : new AnchorFailedError(error.environment, error.evidence, explanation)
}

/**
 * Explains why no engine works on this host, or not the chosen one, by trials of all of them.
 *
 * @returns The same error, with the cause if one was found, and with the engine that works instead.
 */
export async function explainEngine(
  host: Host,
  error: EngineUnavailableError,
): Promise<EngineUnavailableError> {
  const {setting} = error
  const {verdicts} = await tryEngines(host, {cacheFolder: host.paths.cache})
  const other = ENGINES.find((name) => verdicts[name])
  const explanation = setting === 'proot' ? whyNoProot(host) : causeOf(await examineHost(host))
  return new EngineUnavailableError(setting, {explanation, other: setting === 'auto' ? undefined : other})
}

/** proot makes no namespaces, so no check of them explains why it fails. */
function whyNoProot({which}: Pick<Host, 'which'>): 'missing' | undefined {
  return which('proot') === undefined ? 'missing' : undefined
}

/**
 * Returns the check that explains why an engine that needs namespaces does not work. Of the warnings only AppArmor's can
 * explain that: it may let namespaces be made that are of no use.
 */
export function causeOf(checks: readonly HostCheck[]): HostCheck | undefined {
  const found = chooseExplanation(checks, 'emulated')
  return found?.status === 'fail' || found?.id === 'apparmor' ? found : undefined
}

/** Returns the check that most likely explains a failure: a failed check before a warning. */
export function chooseExplanation(
  checks: readonly HostCheck[],
  identity: EnvironmentRecord['identity'],
): HostCheck | undefined {
  const found = (status: HostCheck['status'], ids: readonly CheckId[]) =>
    ids.flatMap((id) => checks.filter((check) => check.id === id && check.status === status))[0]
  const forIds: readonly CheckId[] = identity === 'mapped' ? ['subordinate-ids'] : []
  return found('fail', DECISIVE) ?? found('warn', [...forIds, 'apparmor', 'kernel', 'disk'])
}

/** The paths of /bin/sh: /bin is a symlink to usr/bin in most trees. */
const SHELL_PATHS = ['bin/sh', 'usr/bin/sh']

/** Returns whether a tree lacks the shell that runs as the first process of an environment. @param folders - Its layers, the top first. */
function lacksShell(folders: readonly string[]): boolean {
  return SHELL_PATHS.every((place) => isMissing(folders, place))
}

function isMissing(folders: readonly string[], place: string): boolean {
  for (const folder of folders) {
    try {
      // A whiteout is a character device.
      return lstatSync(join(folder, place)).isCharacterDevice()
    } catch (error) {
      if (isErrno(error, 'EACCES')) return false
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
    }
  }
  return true
}

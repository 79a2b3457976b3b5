import {lstatSync} from 'node:fs'
import {join} from 'node:path'
import {examineHost} from '../../doctor/index.js'
import type {Check, CheckId} from '../../host/check.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {AnchorFailedError, EngineUnavailableError} from '../../sandbox/errors.js'
import type {Environment} from '../../store/environments.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import type {EnvironmentRecord} from '../../store/record.js'

/** Checks that a start depends on, the likeliest first. */
const DECISIVE: readonly CheckId[] = [
  ...([
    'execution',
    'disk',
    'user-namespaces',
    'apparmor',
    'proc',
    'kernel',
    'bubblewrap',
    'util-linux',
  ] as const),
]

/**
 * Looks for a shell in the environment's tree, then asks the doctor why its first process did not come up: its words may
 * be anything, what the tree or the host lacks can be seen.
 *
 * @returns The same failure with what explains it, where there is something.
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

/** The same for a host on which nothing can be started at all. */
export async function explainEngine(
  host: Host,
  error: EngineUnavailableError,
): Promise<EngineUnavailableError> {
  const explanation = chooseExplanation(await examineHost(host), 'emulated')
  return explanation?.status === 'fail' ? new EngineUnavailableError(error.setting, explanation) : error
}

/** What fails comes before what is merely less well. */
export function chooseExplanation(
  checks: readonly Check[],
  identity: EnvironmentRecord['identity'],
): Check | undefined {
  const found = (status: Check['status'], ids: readonly CheckId[]) =>
    ids.flatMap((id) => checks.filter((check) => check.id === id && check.status === status))[0]
  const forIds: readonly CheckId[] = identity === 'mapped' ? ['subordinate-ids'] : []
  return found('fail', DECISIVE) ?? found('warn', [...forIds, 'apparmor', 'kernel', 'disk'])
}

/** Where a shell can lie that /bin/sh leads to: /bin is a link to usr/bin in most trees. */
const PLACES = ['bin/sh', 'usr/bin/sh']

/** Whether a tree lacks the shell that the first process of an environment is. @param folders - Its layers, the top first. */
function lacksShell(folders: readonly string[]): boolean {
  return PLACES.every((place) => isMissing(folders, place))
}

function isMissing(folders: readonly string[], place: string): boolean {
  for (const folder of folders) {
    try {
      // A layer has a device in the place of what it removes.
      return lstatSync(join(folder, place)).isCharacterDevice()
    } catch (error) {
      if (isErrno(error, 'EACCES')) return false
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
    }
  }
  return true
}

import type {Check, CheckId} from '../host/doctor/check.js'
import {examineHost} from '../host/doctor/list.js'
import type {Host} from '../host/host.js'
import {AnchorFailedError, EngineUnavailableError} from '../sandbox/errors.js'
import {lacksShell} from './guest-shell.js'
import {readGuestTree, treeFolders} from './guest-tree.js'
import type {EnvironmentRecord} from './record.js'
import type {Environment} from './store.js'

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

import {lstatSync} from 'node:fs'
import {join} from 'node:path'
import {examineHost} from '../../doctor/index.js'
import type {EnvsError} from '../../errors.js'
import type {Check, CheckId} from '../../host/check.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {AnchorFailedError, EngineUnavailableError} from '../../sandbox/errors.js'
import type {Environment} from '../../store/environments.js'
import {layerLostError} from '../../store/errors.js'
import {lostLayers} from '../../store/integrity/lost-layers.js'
import {layerFiles} from '../../store/layers.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import type {EnvironmentRecord} from '../../store/record.js'

/** Checks that a start depends on, the likeliest cause first. */
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
 * Explains why the first process of an environment did not start: looks for a shell in its tree, then examines the host.
 * The output of the process is not trusted as an explanation.
 *
 * @returns The same error, with the explanation if one was found; for a lost layer, the error of that.
 */
export async function explainStart(
  host: Host,
  error: AnchorFailedError,
  environment: Environment,
): Promise<EnvsError> {
  const tree = await readGuestTree(environment)
  const [lost] = tree.kind === 'overlay' ? lostLayers(host.paths.layers, tree.history.layers) : []
  if (lost !== undefined)
    return layerLostError(
      {name: environment.name, path: layerFiles(host.paths.layers, lost).folder},
      {cause: error},
    )
  const folders = treeFolders(host.paths, tree)
  const explanation = lacksShell(folders)
    ? 'no shell'
    : chooseExplanation(await examineHost(host), environment.record.identity)
  return explanation === undefined
    ? error
    : new AnchorFailedError(error.environment, error.evidence, explanation)
}

/** Explains why no engine works on this host. @returns The same error, with the explanation if one was found. */
export async function explainEngine(
  host: Host,
  error: EngineUnavailableError,
): Promise<EngineUnavailableError> {
  const explanation = chooseExplanation(await examineHost(host), 'emulated')
  return explanation?.status === 'fail' ? new EngineUnavailableError(error.setting, explanation) : error
}

/** Returns the check that most likely explains a failure: a failed check before a warning. */
export function chooseExplanation(
  checks: readonly Check[],
  identity: EnvironmentRecord['identity'],
): Check | undefined {
  const found = (status: Check['status'], ids: readonly CheckId[]) =>
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

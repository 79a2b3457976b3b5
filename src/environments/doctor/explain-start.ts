import {lstatSync, readlinkSync, type Stats} from 'node:fs'
import {join} from 'node:path'
import {examineHost} from '../../doctor/index.js'
import type {Check, CheckId} from '../../host/check.js'
import {isErrno, unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {recordedEngine} from '../../sandbox/anchor-state.js'
import {tryEngines} from '../../sandbox/engines/select.js'
import {AnchorFailedError, EngineUnavailableError, type GuestFault} from '../../sandbox/errors.js'
import type {Environment} from '../../store/environments.js'
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
 * Explains why the first process of an environment did not start: looks for the shell in its tree, examines the host, and tries
 * the engine with the host's own tree. The output of the process is not trusted as an explanation.
 *
 * @returns The same error, with the explanation if one was found.
 */
export async function explainStart(
  host: Host,
  error: AnchorFailedError,
  environment: Environment,
): Promise<AnchorFailedError> {
  const tree = await readGuestTree(environment)
  const folders = treeFolders(host.paths, tree)
  const explain = (explanation: Check | GuestFault) =>
    new AnchorFailedError(error.environment, error.evidence, explanation)
  const shell = findShell(folders)
  if (shell !== 'present') {
    const hadShell = findShell(folders.slice(-1)) === 'present'
    return explain({fault: shell, canUndo: tree.kind === 'overlay' && hadShell})
  }
  const checks = await examineHost(host)
  const failed = chooseExplanation(checks, environment.record.identity)
  if (failed?.status === 'fail') return explain(failed)
  const verdicts = await tryEngines(host, {cacheFolder: host.paths.cache})
  if (verdicts[recordedEngine(environment.files.run)])
    return explain({fault: 'broken', canUndo: tree.kind === 'overlay'})
  return failed === undefined ? error : explain(failed)
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

const SHELL = '/bin/sh'

/** Limit of symlinks on the way, as the kernel's. @see path_resolution(7) */
const MOST_LINKS = 40

/** Looks for the shell that runs as the first process. @param folders - Layers of the tree, the top first. */
function findShell(folders: readonly string[]): 'present' | 'missing' | 'not executable' | 'empty' {
  try {
    const status = statusIn(folders, SHELL)
    if (status === undefined) return 'missing'
    if (status.size === 0) return 'empty'
    return (status.mode & 0o111) === 0 ? 'not executable' : 'present'
  } catch (error) {
    // A folder of another id of the environment hides it: then nothing is known.
    if (isErrno(error, 'EACCES')) return 'present'
    throw error
  }
}

/**
 * Returns the status of a file in a stack of layers; undefined if there is none. Follows symlinks within the layers alone, never by
 * the host's kernel: a guest can write them.
 */
function statusIn(folders: readonly string[], path: string): Stats | undefined {
  const left = partsOf(path)
  let here: string[] = []
  for (let links = 0; links < MOST_LINKS; ) {
    const part = left.shift()
    if (part === undefined) return undefined
    if (part === '..') {
      here = here.slice(0, -1)
      continue
    }
    const found = topmost(folders, [...here, part])
    if (found === undefined) return undefined
    if (found.status.isSymbolicLink()) {
      const target = readlinkSync(found.path)
      if (target.startsWith('/')) here = []
      left.unshift(...partsOf(target))
      links++
    } else if (left.length === 0) return found.status
    else here = [...here, part]
  }
  return undefined
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

/** Returns the entry that covers the others; undefined for a whiteout. `parts` without the last are folders in the merged tree. */
function topmost(
  folders: readonly string[],
  parts: readonly string[],
): {path: string; status: Stats} | undefined {
  for (const folder of folders) {
    const path = realPlace(folder, parts)
    const status = path === undefined ? undefined : statusOf(path)
    // A whiteout is a character device.
    if (path !== undefined && status !== undefined)
      return status.isCharacterDevice() ? undefined : {path, status}
  }
  return undefined
}

/** Returns the path of an entry of one layer, unless another kind of file is in place of a folder above it. */
function realPlace(folder: string, parts: readonly string[]): string | undefined {
  let path = folder
  for (const part of parts.slice(0, -1)) {
    path = join(path, part)
    if (statusOf(path)?.isDirectory() !== true) return undefined
  }
  return join(path, parts.at(-1) ?? '')
}

function statusOf(path: string): Stats | undefined {
  return unlessErrno(() => lstatSync(path), 'ENOENT', 'ENOTDIR')
}

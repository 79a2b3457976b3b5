import {lstatSync, readlinkSync, type Stats} from 'node:fs'
import {join} from 'node:path'
import {type CheckId, examineHost, type HostCheck} from '../../doctor/index.js'
import {EnvsError} from '../../errors.js'
import {type Check, seeChecks} from '../../host/check.js'
import {isErrno, unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {recordedEngine} from '../../sandbox/anchor-state.js'
import {ENGINES, tryEngines} from '../../sandbox/engines/select.js'
import {AnchorFailedError, EngineUnavailableError, type GuestFault} from '../../sandbox/errors.js'
import type {Environment} from '../../store/environments.js'
import {layerLostError} from '../../store/errors.js'
import {lostLayers} from '../../store/integrity/lost-layers.js'
import {layerFiles} from '../../store/layers.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import type {EnvironmentRecord} from '../../store/record.js'

/** Checks that a start depends on, the likeliest cause first. */
const DECISIVE: readonly CheckId[] = [
  ...(['execution', 'disk', 'user-namespaces', 'apparmor', 'proc', 'kernel'] as const),
  ...(['bubblewrap', 'util-linux'] as const),
]

/**
 * Explains why the first process of an environment did not start: looks for the shell in its tree, examines the host, and tries
 * the engine with the host's own tree. The output of the process is not trusted as an explanation.
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
  const {verdicts} = await tryEngines(host, {cacheFolder: host.paths.cache})
  if (verdicts[recordedEngine(environment.files.run)])
    return explain({fault: 'broken', canUndo: tree.kind === 'overlay'})
  return failed === undefined ? error : explain(failed)
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

/**
 * Explains why a program could not become root of a user namespace, or mount a tree in it.
 *
 * @returns The same error, with the explanation if one was found.
 */
export async function explainNamespace(host: Host, error: EnvsError): Promise<EnvsError> {
  const explanation = chooseExplanation(await examineHost(host), 'emulated')
  if (explanation === undefined) return error
  const {code, exitCode, message, cause} = error
  const {title, evidence} = explanation
  return new EnvsError(message, {
    code,
    exitCode,
    cause,
    suggestions: [`${title}: ${evidence}`, seeChecks({title})],
  })
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

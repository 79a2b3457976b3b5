import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {EnvsError} from '../../errors.js'
import {type Sha256, sha256OfFile} from '../../host/digest.js'
import {isErrno} from '../../host/errno.js'
import {namesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {listKept, readKept} from '../../images/cache/cache.js'
import {imageFiles} from '../../images/cache/layout.js'
import {parseContainer} from '../../images/reference.js'
import {readLedger} from '../../rootfs/ledger/ledger.js'
import {
  type Environment,
  type EnvironmentName,
  environmentFiles,
  filesIn,
  findEnvironment,
  isEnvironmentName,
  isRemovedEntry,
  listNames,
} from '../../store/environments.js'
import {EnvironmentNotFoundError, RecordUnreadableError} from '../../store/errors.js'
import {isLayerLeftover, isLeftover} from '../../store/gc.js'
import {findSnapshot, type History, layersOf, readHistory} from '../../store/history.js'
import {describeMap, findChangedIds, missingLines, overlaps} from '../../store/integrity/id-maps.js'
import {lostLayers} from '../../store/integrity/lost-layers.js'
import {identityOf, isLayerId, layerFiles, listLayers, readLayerRecord} from '../../store/layers.js'
import {isLost} from '../../store/mounted-tree.js'
import {findStoreLeftovers} from '../repair.js'
import type {StoreCheckResult} from './results.js'

export type StoreCheck = StoreCheckResult
export type StoreProblem = StoreCheck['problems'][number]

type CheckOptions = {
  /** Undefined for the whole store. */
  readonly name: string | undefined
  /** Whether each tarball in the cache is read, and its digest compared. */
  readonly digests: boolean
  readonly signal: AbortSignal
}

/**
 * Checks the records of the store, the layers that they name, and the cached images. Changes nothing.
 *
 * @throws {EnvironmentNotFoundError} When `name` has neither a record nor a folder.
 */
export async function checkStore(host: Host, {name, digests, signal}: CheckOptions): Promise<StoreCheck> {
  const {paths} = host
  if (name !== undefined) return checkNamed(host, name)
  const names = await listNames(paths)
  const environments = (await Promise.all(names.map((each) => checkEnvironment(host, each)))).flat()
  const {images, damaged} = await listKept(paths.images)
  const layers = await listLayers(paths.layers)
  return {
    environments: names.length,
    layers: layers.length,
    images: images.length + damaged.length,
    problems: [
      ...environments,
      ...(await checkLayerRecords(host)),
      ...damaged.map(({sha256, reason}) => imageProblem(host, sha256, reason)),
      ...(digests ? await checkDigests(host, signal) : []),
      ...checkEntries(host),
      ...(await checkLeftovers(host)),
    ],
  }
}

async function checkNamed(host: Host, text: string): Promise<StoreCheck> {
  const environment = await findEnvironment(host.paths, text).catch((error: unknown) => {
    if (error instanceof RecordUnreadableError) return undefined
    if (!(error instanceof EnvironmentNotFoundError)) throw error
    if (!isEnvironmentName(text) || !existsSync(environmentFiles(host.paths, text).folder)) throw error
    return undefined
  })
  const name = environment?.name ?? (isEnvironmentName(text) ? text : undefined)
  if (name === undefined) throw new Error(`${text} was found under no name`)
  const history = await readHistory(environmentFiles(host.paths, name).history).catch(() => undefined)
  return {
    environments: 1,
    layers: history === undefined ? 0 : layersOf(history).size,
    images: 0,
    problems: await checkEnvironment(host, name),
  }
}

/**
 * Returns the problems of one environment. Looks twice, because another command may change or remove the environment between
 * two reads.
 */
async function checkEnvironment(host: Host, name: EnvironmentName): Promise<StoreProblem[]> {
  const found = await examine(host, name)
  return found.length === 0 ? found : examine(host, name)
}

type ProblemFacts = Pick<StoreProblem, 'kind' | 'path' | 'problem' | 'remedy'> &
  Partial<Pick<StoreProblem, 'isRepairable'>>

async function examine(host: Host, name: EnvironmentName): Promise<StoreProblem[]> {
  const files = environmentFiles(host.paths, name)
  const of = (facts: ProblemFacts) => ({environment: name, isRepairable: false, ...facts})
  let environment: Environment
  try {
    environment = await findEnvironment(host.paths, name)
  } catch (error) {
    if (error instanceof EnvironmentNotFoundError) {
      return existsSync(files.folder)
        ? [of({kind: 'record', path: files.record, problem: NO_RECORD, remedy: NO_RECORD_REMEDY})]
        : []
    }
    return [of({kind: 'record', path: files.record, ...wordsOf(error)})]
  }
  return [
    ...checkLedger(files.ledger).map(of),
    ...(await checkIds(host, environment)).map(of),
    ...(environment.record.storage === 'directory'
      ? checkRoot(files.root).map(of)
      : (await checkHistory(host, environment)).map(of)),
  ]
}

const NO_RECORD = 'The folder has no record, so envs sees no environment there.'
const NO_RECORD_REMEDY = 'Restore the file from a backup, or move the folder away.'

/** Returns the words of an error about a record; rethrows a bug. */
function wordsOf(error: unknown): Pick<StoreProblem, 'problem' | 'remedy'> {
  if (!(error instanceof EnvsError)) throw error
  return {problem: error.message, remedy: error.suggestions[0] ?? ''}
}

async function checkIds(host: Host, environment: Environment): Promise<ProblemFacts[]> {
  const {name, files, record} = environment
  const changed = await findChangedIds(host, environment)
  if (changed === undefined) return []
  const {recorded, present} = changed
  const problem = `Its files belong to the subordinate ids ${describeMap(recorded)}, and this account now has ${describeMap(present)}.`
  const facts = {kind: 'ids', path: files.folder, problem} as const
  if (overlaps(recorded, present))
    return [
      {...facts, remedy: 'Ask an administrator to restore the former range in /etc/subuid and /etc/subgid.'},
    ]
  const {subuid, subgid} = await missingLines(host, recorded)
  const lines = [
    ...subuid.map((line) => `${line} to /etc/subuid`),
    ...subgid.map((line) => `${line} to /etc/subgid`),
  ]
  const repair = `envs doctor --repair ${name}`
  if (lines.length > 0) {
    const remedy = `Ask an administrator to add, after the present line, ${lines.join(' and ')}. Then run: ${repair}`
    return [{...facts, remedy}]
  }
  if (record.storage === 'overlay' && !(await canUnpackAgain(host.paths, record)))
    return [{...facts, remedy: `Put its image back into the cache, then run: ${repair}`}]
  return [{...facts, remedy: `Give the files the present ids: ${repair}`, isRepairable: true}]
}

function checkLedger(path: string): ProblemFacts[] {
  try {
    readLedger(path)
    return []
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    return [{kind: 'ledger', path, ...wordsOf(error)}]
  }
}

function checkRoot(path: string): ProblemFacts[] {
  if (existsSync(path)) return []
  const problem = 'The root file system is missing: all files of the environment are lost.'
  return [{kind: 'root', path, problem, remedy: 'Restore the folder from a backup.'}]
}

async function checkHistory(host: Host, environment: Environment): Promise<ProblemFacts[]> {
  const {name, files} = environment
  let history: History
  try {
    history = await readHistory(files.history)
  } catch (error) {
    const words = isErrno(error, 'ENOENT')
      ? {problem: 'The history is missing, so its layers are unknown.', remedy: NO_RECORD_REMEDY}
      : wordsOf(error)
    return [{kind: 'history', path: files.history, ...words}]
  }
  // The layer of an ended try was in memory; the next command removes the environment.
  if (await isLost(files)) return []
  return [
    ...(await checkLayers(host, environment, history)),
    ...checkIdentity(host, environment, history),
    ...checkReferences(name, files.history, history),
  ]
}

async function checkLayers(
  {paths}: Host,
  {name, record}: Environment,
  history: History,
): Promise<ProblemFacts[]> {
  const {layers, upper, snapshots} = history
  const [base] = layers
  const lost = new Set(lostLayers(paths.layers, layersOf(history)))
  const folder = (id: typeof base) => layerFiles(paths.layers, id).folder
  const found: ProblemFacts[] = []
  if (lost.has(base))
    found.push({kind: 'image-layer', path: folder(base), ...(await lostBase(paths, record))})
  if (lost.has(upper))
    found.push({
      kind: 'upper',
      path: folder(upper),
      problem: 'The upper layer is missing: the changes since the last snapshot are lost.',
      remedy: `Restore the folder from a backup, or go back to the last state that is left: envs undo ${name}`,
    })
  for (const id of layers.slice(1).filter((each) => lost.has(each)))
    found.push({
      kind: 'layer',
      path: folder(id),
      problem: 'A layer of the present state is missing.',
      remedy: `Restore the folder from a backup, or go back to an older snapshot: envs snapshots ${name}`,
    })
  for (const {label, layers: stack} of snapshots) {
    const missing = stack.find((id) => id !== base && lost.has(id))
    if (missing === undefined) continue
    found.push({
      kind: 'snapshot',
      path: folder(missing),
      problem: `The snapshot "${label}" needs a layer that is missing.`,
      remedy: `Restore the folder from a backup, or remove the snapshot: envs snapshots ${name} --remove ${label}`,
    })
  }
  return found
}

/** Returns the words about a lost layer of an image, which can be unpacked again while the tarball is there. */
async function lostBase(
  {images}: Host['paths'],
  {image}: Environment['record'],
): Promise<Pick<StoreProblem, 'problem' | 'remedy' | 'isRepairable'>> {
  const problem = 'The layer of its image is missing.'
  if (await canUnpackAgain({images}, {image}))
    return {problem, remedy: 'Unpack the image again: envs doctor --repair', isRepairable: true}
  const remedy =
    image.name === null
      ? `Restore the folder from a backup, or the tarball "${image.source}", and run: envs doctor --repair`
      : `Restore the folder from a backup, or fetch the image (envs image pull ${image.name}) and run: envs doctor --repair`
  return {problem, remedy, isRepairable: false}
}

/** Returns whether the tarball of an image is in the cache, or where it was; a registry is not asked. */
async function canUnpackAgain(
  {images}: Pick<Host['paths'], 'images'>,
  {image}: Pick<Environment['record'], 'image'>,
): Promise<boolean> {
  if (image.container !== undefined) {
    const location = parseContainer(image.container.reference, '/')
    return location !== undefined && (location.kind === 'registry' || existsSync(location.path))
  }
  const kept = await readKept(images, image.sha256 as Sha256).catch(() => undefined)
  return kept !== undefined || existsSync(image.source)
}

function checkIdentity({paths}: Host, {record}: Environment, history: History): ProblemFacts[] {
  return [...layersOf(history)]
    .filter((id) => identityOf(id) !== record.identity)
    .map((id) => ({
      kind: 'identity',
      path: layerFiles(paths.layers, id).folder,
      problem: `The layer has the identity ${identityOf(id)}, and the environment ${record.identity}.`,
      remedy: 'Restore env.json and history.json of the environment from the same backup.',
    }))
}

function checkReferences(name: string, path: string, history: History): ProblemFacts[] {
  const {snapshots, after} = history
  const named = [after, ...snapshots.map((each) => each.after)].filter((label) => label !== undefined)
  const dangling = [...new Set(named)].filter((label) => findSnapshot(history, label) === undefined)
  const labels = snapshots.map(({label}) => label)
  const twice = [...new Set(labels.filter((label, index) => labels.indexOf(label) < index))]
  return [
    ...dangling.map((label) => ({
      kind: 'reference' as const,
      path,
      problem: `The history names a snapshot "${label}" that it does not have.`,
      remedy: `Remove the name from the history: envs doctor --repair ${name}`,
      isRepairable: true,
    })),
    ...twice.map((label) => ({
      kind: 'history' as const,
      path,
      problem: `The history has two snapshots "${label}".`,
      remedy: `Remove them: envs snapshots ${name} --remove ${label}`,
    })),
  ]
}

/** A layer without a record does not belong to an image; a record that can't be read is damaged. */
async function checkLayerRecords({paths}: Host): Promise<StoreProblem[]> {
  const found: StoreProblem[] = []
  for (const id of await listLayers(paths.layers)) {
    const {record} = layerFiles(paths.layers, id)
    if (!existsSync(record) || (await readLayerRecord(record)) !== undefined) continue
    found.push({
      kind: 'layer-record',
      environment: null,
      path: record,
      problem: "The record of an image's layer is damaged: envs diff and envs reset know less of the image.",
      remedy: 'Create an environment of the same image, which writes the record again.',
      isRepairable: false,
    })
  }
  return found
}

function imageProblem({paths}: Host, sha256: Sha256, problem: string): StoreProblem {
  const path = imageFiles(paths.images, sha256).folder
  const remedy = 'Remove the image, which is fetched again when it is needed: envs doctor --repair'
  return {kind: 'image', environment: null, path, problem, remedy, isRepairable: true}
}

async function checkDigests(host: Host, signal: AbortSignal): Promise<StoreProblem[]> {
  const found: StoreProblem[] = []
  for (const {sha256, path, name} of (await listKept(host.paths.images)).images) {
    if ((await sha256OfFile(path, {signal})) === sha256) continue
    found.push({
      kind: 'image',
      environment: null,
      path,
      problem: `The tarball of the image ${name} does not have the digest of its record.`,
      remedy: `Remove the image, which is fetched again when it is needed: envs image rm ${sha256.slice(0, 12)}`,
      isRepairable: false,
    })
  }
  return found
}

/** Finds entries that envs did not make: no command reads or removes them. */
function checkEntries({paths}: Host): StoreProblem[] {
  const foreign = [
    ...namesIn(paths.environments)
      .filter((name) => !isEnvironmentName(name) && !isRemovedEntry(paths, name) && !isLeftover(paths, name))
      .map((name) => join(paths.environments, name)),
    ...namesIn(paths.layers)
      .filter((name) => !isLayerId(name) && !isLayerLeftover(name))
      .map((name) => join(paths.layers, name)),
  ]
  return foreign.map((path) => ({
    kind: 'foreign',
    environment: null,
    path,
    problem: 'envs did not make this entry of the store.',
    remedy: 'Move it away.',
    isRepairable: false,
  }))
}

async function checkLeftovers(host: Host): Promise<StoreProblem[]> {
  const {folders, layers, orphans} = await findStoreLeftovers(host)
  const {paths} = host
  const of = (path: string, problem: string) => ({
    kind: 'leftover' as const,
    environment: null,
    path,
    problem,
    remedy: 'Remove what killed commands left: envs doctor --repair',
    isRepairable: true,
  })
  return [
    ...(folders > 0 ? [of(paths.environments, `Folders of killed commands are left: ${folders}.`)] : []),
    ...(layers > 0 ? [of(paths.layers, `Layers that no environment uses are left: ${layers}.`)] : []),
    ...orphans.map(({name}) => ({
      ...of(filesIn(join(paths.environments, name)).run, 'A process of an ended start holds its lock.'),
      environment: name,
    })),
  ]
}

import type {Settings} from '../../config/settings.js'
import {EnvsError} from '../../errors.js'
import {isSha256, type Sha256} from '../../host/digest.js'
import {isFailure} from '../../host/errno.js'
import {digestMismatchError} from '../../host/errors.js'
import type {Host} from '../../host/host.js'
import {namedArchitecture} from '../../host/machine/arch.js'
import {readKept} from '../../images/cache/cache.js'
import {discardKept} from '../../images/cache/remove.js'
import {openDigestMemory, openFileImage} from '../../images/local.js'
import {type ContainerOrigin, pinnedName} from '../../images/oci/origin.js'
import {resolveContainerReference} from '../../images/oci/resolve.js'
import {openImage} from '../../images/open.js'
import type {OpenedImage} from '../../images/opened-image.js'
import {parseContainer} from '../../images/reference.js'
import {isInUse} from '../../sandbox/processes.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {environmentRunningError} from '../../store/errors.js'
import {countClaims, sweepLayers} from '../../store/gc.js'
import {findSnapshot, type History, layersOf, readHistory, writeHistory} from '../../store/history.js'
import {findChangedIds, shiftOwners} from '../../store/integrity/id-maps.js'
import {isLayerLost} from '../../store/integrity/lost-layers.js'
import {type LayerId, layerFiles} from '../../store/layers.js'
import {holdLayers, withLockedEnvironment} from '../../store/locks.js'
import {writeRecord} from '../../store/record.js'
import {openImageLayer} from '../create/image-layer.js'
import {archiveFacts, imageContext} from '../create/request.js'
import {type Repair, type Swept, sweepStore} from '../repair.js'
import {withSharedHistory} from '../snapshots/stopped.js'
import {checkStore, type StoreProblem} from './store-check.js'

type RepairOptions = {
  /** Undefined for the whole store. */
  readonly name: string | undefined
  readonly settings: Settings
  readonly signal: AbortSignal
}

const NOTHING_SWEPT: Swept = {folders: 0, layers: 0, orphans: [], tries: 0}

/**
 * Removes what killed commands left in the store, and repairs the problems of {@link checkStore} that can be repaired without a
 * loss. With a name, repairs that environment only.
 */
export async function repairStore(host: Host, options: RepairOptions): Promise<Repair> {
  const {name, signal} = options
  const swept = name === undefined ? await sweepStore(host) : NOTHING_SWEPT
  const check = () => checkStore(host, {name, digests: false, signal})
  const {problems: found} = await check()
  const repairable = found.filter(({isRepairable}) => isRepairable)
  if (repairable.length === 0) return {...swept, repaired: [], problems: found}
  const failures = new Map<string, EnvsError>()
  for (const problem of repairable) {
    try {
      await repairProblem(host, problem, options)
    } catch (error) {
      // A failure must not keep the other problems from their repair; the second check reports this one.
      if (!isFailure(error)) throw error
      if (error instanceof EnvsError) failures.set(keyOf(problem), error)
    }
  }
  const {problems} = await check()
  const left = new Set(problems.map(keyOf))
  return {
    ...swept,
    repaired: repairable.filter((problem) => !left.has(keyOf(problem))),
    problems: problems.map((problem) => withFailure(problem, failures.get(keyOf(problem)))),
  }
}

function keyOf({kind, environment, path, problem}: StoreProblem): string {
  return [kind, environment, path, problem].join('\0')
}

/** Returns a problem whose repair failed, with the reason and the next step of that. */
function withFailure(problem: StoreProblem, error: EnvsError | undefined): StoreProblem {
  if (error === undefined) return problem
  return {
    ...problem,
    problem: `${problem.problem} The repair failed: ${error.message}`,
    remedy: error.suggestions[0] ?? problem.remedy,
  }
}

async function repairProblem(host: Host, problem: StoreProblem, options: RepairOptions): Promise<void> {
  const {kind, environment: name, path} = problem
  if (kind === 'image') await discardImage(host, path)
  if (name === null) return
  if (kind === 'reference') await removeDanglingReferences(host, name)
  if (kind === 'image-layer') await unpackImageAgain(host, name, options)
  if (kind === 'ids') await givePresentIds(host, name, options)
}

async function discardImage({paths}: Host, folder: string): Promise<void> {
  const sha256 = folder.split('/').at(-1) ?? ''
  if (isSha256(sha256)) await discardKept(paths.images, sha256)
}

/** Removes the names of predecessors that the history does not have. Every snapshot stays. */
async function removeDanglingReferences(host: Host, name: string): Promise<void> {
  await withSharedHistory(host, name, async ({files}) => {
    const history = await readHistory(files.history)
    const isKnown = (label: string | undefined) =>
      label === undefined || findSnapshot(history, label) !== undefined
    const withKnown = <Point extends {readonly after?: string}>({after, ...point}: Point) =>
      isKnown(after) && after !== undefined ? {...point, after} : point
    await writeHistory(files.history, {
      ...withKnown(history),
      snapshots: history.snapshots.map(withKnown),
    } as History)
  })
}

/** Unpacks the image of an environment whose image layer is lost, and puts the new layer in its place. */
async function unpackImageAgain(host: Host, text: string, options: RepairOptions): Promise<void> {
  await withStopped(host, text, async (environment) => {
    const {history: path} = environment.files
    const history = await readHistory(path)
    if (!isLayerLost(host.paths.layers, history.layers[0])) return
    await withImageLayer(host, environment, options, (base) => writeHistory(path, withBase(history, base)))
  })
}

/**
 * Gives the files of an environment the ids that this account has now. Its image is unpacked again, because other environments
 * share that layer; the layers above it are changed in place. The record of the ids is written last: an interrupted repair is
 * continued.
 */
async function givePresentIds(host: Host, text: string, options: RepairOptions): Promise<void> {
  await withStopped(host, text, async (environment) => {
    const {files, record} = environment
    const changed = await findChangedIds(host, environment)
    if (changed === undefined) return
    if (record.storage === 'directory') await shiftOwners(host, [files.root], changed)
    else {
      const history = await readHistory(files.history)
      const [former] = history.layers
      const treeOf = (id: LayerId) => layerFiles(host.paths.layers, id).tree
      await withImageLayer(host, environment, options, async (base) => {
        const own = [...layersOf(history)].filter((id) => id !== former && id !== base)
        await shiftOwners(host, own.map(treeOf), changed)
        await writeHistory(files.history, withBase(history, base))
      })
      // Only their owner can remove what is in its folders. The files may be those of a stored layer of a container image.
      if (!(await countClaims(host.paths)).has(former) && !isLayerLost(host.paths.layers, former)) {
        await shiftOwners(host, [treeOf(former)], changed, 'folders')
        await sweepLayers(host, new Set(), new Set([former]))
      }
    }
    await writeRecord(files.record, {...record, ids: changed.present})
  })
}

/** Calls `work` with a stopped environment, under its exclusive lock. */
async function withStopped(
  host: Host,
  text: string,
  work: (environment: Environment) => Promise<void>,
): Promise<void> {
  const find = async () => {
    const environment = await findEnvironment(host.paths, text)
    const {name, files} = environment
    if (await isInUse(files.run)) throw environmentRunningError({name})
    return environment
  }
  await withLockedEnvironment(host.paths, 'exclusive', find, work)
}

/** Calls `work` with the layer of an environment's image, which is unpacked again unless it is there. */
async function withImageLayer(
  host: Host,
  {record}: Environment,
  {settings, signal}: RepairOptions,
  work: (id: LayerId) => Promise<void>,
): Promise<void> {
  const held = await holdLayers(host.paths)
  try {
    const image = await openAgain(host, record, {settings, signal})
    try {
      const archives = await archiveFacts(host, settings)
      const {identity} = record
      const options = {identity, archives, isSynced: true, signal, onProgress: () => {}}
      const {layer} = await openImageLayer(host, image, options)
      await work(layer.id)
    } finally {
      await image.close()
    }
  } finally {
    held.release()
  }
}

async function openAgain(
  host: Host,
  {image, architecture}: Environment['record'],
  {settings, signal}: Pick<RepairOptions, 'settings' | 'signal'>,
): Promise<OpenedImage> {
  const {paths} = host
  const sha256 = image.sha256 as Sha256
  if (image.container !== undefined)
    return openContainerAgain(host, {container: image.container, architecture}, {settings, signal})
  const kept = await readKept(paths.images, sha256)
  if (kept === undefined)
    return openFileImage(image.source, {
      source: image.source,
      sha256,
      digests: openDigestMemory(paths.cache),
    })
  const context = imageContext(host, settings, {signal})
  return openImage(
    {kind: 'kept', image: kept, reason: ''},
    {images: paths.images, cacheFolder: paths.cache, context},
  )
}

/** Opens an image of containers by its digest, which a tag may not mean any more. Layers that are in the store need no registry. */
async function openContainerAgain(
  host: Host,
  {container, architecture}: {readonly container: ContainerOrigin; readonly architecture: string},
  {settings, signal}: Pick<RepairOptions, 'settings' | 'signal'>,
): Promise<OpenedImage> {
  const {images, cache: cacheFolder} = host.paths
  const context = imageContext(host, settings, {signal})
  const {reference: name, manifest, registry} = container
  const location = parseContainer(registry === null ? name : pinnedName(container), '/')
  if (location === undefined) throw new Error(`${name} is no name of an image of containers`)
  const reference = {
    kind: 'container',
    location,
    architecture: namedArchitecture(architecture) ?? host.architecture,
  } as const
  const around = {images, context, recent: undefined, isNewest: false}
  const {image} = await resolveContainerReference(reference, around)
  const {content, digest = ''} = image
  if (content.kind !== 'container') throw new Error(`${name} is no image of containers`)
  if (`sha256:${digest}` !== manifest) {
    await content.source.close()
    throw digestMismatchError({source: name, expected: manifest, actual: `sha256:${digest}`})
  }
  const named = {...image, content: {...content, image: {...content.image, name}}}
  return openImage({kind: 'found', image: named}, {images, cacheFolder, context})
}

/** Returns the history with another layer in place of the image's, in all stacks: other settings give it another name. */
function withBase(history: History, base: LayerId): History {
  const [lost] = history.layers
  return {
    ...history,
    layers: [base, ...history.layers.slice(1)],
    snapshots: history.snapshots.map((snapshot) =>
      snapshot.layers[0] === lost ? {...snapshot, layers: [base, ...snapshot.layers.slice(1)]} : snapshot,
    ),
  }
}

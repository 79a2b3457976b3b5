import {findKnownState} from '../environments/layered/known-layers.js'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import {environmentFiles} from '../store/environments.js'
import {readRecord} from '../store/record.js'
import type {ProjectEnvironment} from './environment.js'
import {findImage, type ProjectImage} from './image.js'
import type {LayerKey} from './key.js'
import {type ImageFacts, imageKey, layersOf, type ProjectLayer} from './layers.js'

/** The steps that `up` would take with one environment. */
export type ProjectPlan = {
  readonly environment: ProjectEnvironment
  readonly image: ProjectImage
  /** The key of the state without any layer; undefined for an image that has to be fetched first. */
  readonly baseKey: LayerKey | undefined
  readonly layers: readonly ProjectLayer[]
  /** How many of the states, the image's first, the store has. */
  readonly knownCount: number
  /** `none`: it is there as the file wants it. */
  readonly action: 'none' | 'create' | 'replace'
}

/** Compares an environment with what the file wants. Reads what the layers take of the project. */
export async function planEnvironment(
  host: Host,
  environment: ProjectEnvironment,
  image: ProjectImage,
  {signal}: {readonly signal: AbortSignal},
): Promise<ProjectPlan> {
  const facts = await findImage(host, image, {signal})
  const plan = {environment, image}
  const other = environment.exists ? 'replace' : 'create'
  if (facts === undefined)
    // The keys are not known, but the titles are the same for every image.
    return {
      ...plan,
      baseKey: undefined,
      layers: layersOf(environment, unknownImage(image), host),
      knownCount: 0,
      action: other,
    }
  const baseKey = imageKey(environment, facts)
  const layers = layersOf(environment, facts, host)
  const keys = [baseKey, ...layers.map(({key}) => key)]
  const known = await findKnownState(host.paths, keys)
  const record = await readRecord(environmentFiles(host.paths, environment.name).record)
  const isThere = environment.exists && record?.settings.project?.key === keys.at(-1)
  return {...plan, baseKey, layers, knownCount: (known?.index ?? -1) + 1, action: isThere ? 'none' : other}
}

function unknownImage({means, hasPackages}: ProjectImage): ImageFacts {
  return {sha256: '' as Sha256, identity: means.identity, hasPackages}
}

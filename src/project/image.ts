import type {Settings} from '../config/settings.js'
import {ImageAcquisition} from '../environments/create/image-acquisition.js'
import {chooseMeans, type Means} from '../environments/create/means.js'
import {type CreateRequest, planCreation} from '../environments/create/request.js'
import {sha256OfFile} from '../host/digest.js'
import type {Host} from '../host/host.js'
import type {ImageReference} from '../images/name.js'
import {parseImageReference} from '../images/reference.js'
import type {ImageContext} from '../images/sources/source.js'
import type {ProjectEnvironment} from './environment.js'
import {notSupportedError} from './errors.js'
import type {ImageFacts} from './layers.js'

export type ImageMeans = {
  readonly settings: Settings
  readonly context: ImageContext
  readonly onNotice?: CreateRequest['archive']['onNotice'] | undefined
}

/** The image of an environment: how to create one of it, and what its layers stand on. */
export type ProjectImage = {
  readonly creation: CreateRequest
  readonly means: Means
  readonly hasPackages: boolean
}

/**
 * Completes the image of an environment with the settings of the user. Packages become a part of an image that envs makes of packages;
 * on any other image they are a layer.
 *
 * @throws {@link notSupportedError} @throws As `planCreation` and `chooseMeans`.
 */
export async function openProjectImage(
  host: Host,
  environment: ProjectEnvironment,
  {settings, context, onNotice}: ImageMeans,
): Promise<ProjectImage> {
  const {wish, name, architecture, root, path, table} = environment
  const {packages = [], components = [], sources = [], variant, recommends = false, image} = wish
  const refuse = (key: string, reason: string) =>
    notSupportedError({path, key: `env.${table}.${key}`, reason})
  const reference = await parseImageReference(image, {workingFolder: root, architecture, now: context.now})
  if (reference.kind === 'standard-input' || reference.kind === 'url')
    throw refuse('image', 'its content is known only after a download; give the path of a file')
  const isArchive = canBeMadeOfPackages(reference)
  if (!isArchive && variant !== undefined) throw refuse('variant', `${image} is not made of packages`)
  if (!isArchive && components.length > 0) throw refuse('components', `${image} is not made of packages`)
  const hasPackages =
    isArchive && packages.length > 0 && sources.length === 0 && !recommends && packages.every(isPlain)
  const archive = {variant, include: hasPackages ? packages : [], components, allowExpired: false}
  const wanted = {image: reference, name, sha256: undefined, architecture, archive}
  const creation = await planCreation(wanted, {host, settings, context, onNotice})
  const means = await chooseMeans(host, creation)
  if (means.storage !== 'overlay')
    throw refuse(
      'image',
      'layers need an overlay file system, which this host or the setting storage refuses',
    )
  return {creation, means, hasPackages}
}

/** Returns the facts that the keys of the layers start from; undefined for an image that is not in the cache. */
export async function findImage(
  host: Host,
  {creation, means, hasPackages}: ProjectImage,
  {signal}: {readonly signal: AbortSignal},
): Promise<ImageFacts | undefined> {
  const {reference} = creation
  if (reference.kind === 'file')
    return {sha256: await sha256OfFile(reference.path, {signal}), identity: means.identity, hasPackages}
  const acquisition = new ImageAcquisition(host, creation, {means, signal})
  try {
    if ((await acquisition.resolve({})) !== 'kept' && reference.kind !== 'container') return undefined
    const {sha256} = acquisition.describe()
    return sha256 === null ? undefined : {sha256, identity: means.identity, hasPackages}
  } finally {
    await acquisition.close()
  }
}

function canBeMadeOfPackages(reference: ImageReference): boolean {
  if (reference.kind !== 'name') return false
  const {variant, source, distribution} = reference.query
  const isOfApt = distribution === 'debian' || distribution === 'ubuntu'
  return isOfApt && source === undefined && (variant === undefined || variant === 'archive')
}

/** Returns whether a package is named without a version and an architecture. */
function isPlain(text: string): boolean {
  return !/[=:]/.test(text)
}

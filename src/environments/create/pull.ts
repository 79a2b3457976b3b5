import type {Settings} from '../../config/settings.js'
import {UsageError} from '../../errors.js'
import {emulationFor} from '../../features/emulation.js'
import type {Host} from '../../host/host.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import {checkVerifiable} from '../../images/oci/signature.js'
import {parseImageReference} from '../../images/reference.js'
import type {ImageContext} from '../../images/sources/source.js'
import {sweepLayers} from '../../store/gc.js'
import {type ArchiveWish, bootstrapFor} from '../bootstrap/request.js'
import {findEngine, identityFor} from '../session/engine.js'
import {ImageAcquisition} from './image-acquisition.js'
import type {Means} from './means.js'
import {archiveContext, type CreateRequest} from './request.js'

/** The user's request to pull an image, as typed. */
export type PullWish = {
  readonly image: string
  readonly architecture: DebArchitecture
  readonly archive: ArchiveWish
}

/**
 * Prepares the download or the making of an image for the cache. Its publisher is always asked for the newest one.
 *
 * @throws {UsageError} When the reference is not the name of an image.
 * @throws {UnknownImageError} @throws As `chooseMeans`, if the image has to be made.
 */
export async function beginPull(
  host: Host,
  {image, architecture, archive}: PullWish,
  {
    settings,
    context,
    signal,
    onNotice,
  }: {
    settings: Settings
    context: ImageContext
    signal: AbortSignal
    onNotice?: CreateRequest['archive']['onNotice'] | undefined
  },
): Promise<ImageAcquisition> {
  const {workingFolder} = host
  const reference = await parseImageReference(image, {workingFolder, architecture, now: context.now})
  checkVerifiable(reference, context)
  const bootstrap = await bootstrapFor(reference, archive, context.now)
  if (reference.kind !== 'name' && reference.kind !== 'container') {
    throw new UsageError('Only an image with a name can be pulled.', [
      'To use a file, a URL or standard input, give it to envs create.',
    ])
  }
  const wanted = {
    reference,
    bootstrap,
    context,
    sha256: undefined,
    imageCheck: 'always',
    isNewest: true,
    archive: archiveContext(host, settings, {...context, onNotice}),
  } as const
  // The layers of a container are unpacked, and no program of them runs.
  const native = reference.kind === 'container' ? host.architecture : architecture
  const chooseMeans = () => chooseBuildMeans(host, native, settings)
  // A download needs no engine.
  const means = bootstrap === undefined ? chooseMeans : await chooseMeans()
  return new ImageAcquisition(host, wanted, {signal, means})
}

async function chooseBuildMeans(
  host: Host,
  architecture: DebArchitecture,
  settings: Settings,
): Promise<Omit<Means, 'storage'>> {
  await sweepLayers(host)
  const engine = await findEngine(host, settings.value('engine'))
  const identity = await identityFor(engine, settings.value('identity'), host)
  await emulationFor(host, architecture, {engine, identity})
  return {engine, identity}
}

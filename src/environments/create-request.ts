import type {ArchiveContext} from '../archive/context.js'
import type {Settings} from '../config/settings.js'
import {UsageError} from '../errors.js'
import type {DebArchitecture} from '../host/architecture.js'
import type {Host} from '../host/host.js'
import {parseSha256} from '../images/digest.js'
import type {ImageReference} from '../images/published-image.js'
import {environmentNameFor, parseImageReference} from '../images/reference.js'
import type {ImageContext} from '../images/sources/source.js'
import type {ArchiveFacts} from '../rootfs/tree-process.js'
import {archiveContext} from './archive-context.js'
import {archiveFacts} from './archive-facts.js'
import {bootstrapFor} from './bootstrap-for.js'
import {type ArchiveWish, USUAL_ARCHIVE} from './bootstrap-request.js'
import type {MeansWish} from './creation-means.js'
import {defaultImage} from './default-image.js'
import type {WantedImage} from './image-to-use.js'
import {type EnvironmentName, parseEnvironmentName} from './name.js'

export type CreateRequest = WantedImage &
  MeansWish & {
    readonly name: EnvironmentName
    readonly archives: ArchiveFacts
    /** Whether the tree is on the disk before its environment appears. */
    readonly isSynced: boolean
    /** Whether it goes with the command that makes it. */
    readonly isThrowaway?: boolean
    /** For what it writes to be in memory where it can be; undefined for the disk. */
    readonly memory?: MemoryWish | undefined
  }

export type MemoryWish = {
  /** The most it may take, as the user said it; undefined for a share of what is free. */
  readonly setting: string | undefined
}

/** What the user said of a new environment. */
export type CreateWish = {
  /** As typed, or parsed already; undefined for the default one. */
  readonly image: string | ImageReference | undefined
  readonly name: string | undefined
  readonly sha256: string | undefined
  /** The host's own where it is left out. */
  readonly architecture?: DebArchitecture | undefined
  /** What an image that is made of packages is to hold. */
  readonly archive?: ArchiveWish
}

/**
 * Reads the arguments of `create`, the rest taken from the settings and from the host.
 *
 * @throws {UsageError}
 * @throws {@link invalidSettingError}
 */
export async function planCreation(
  wish: CreateWish,
  {
    host,
    settings,
    context,
    onNotice,
  }: {
    host: Host
    settings: Settings
    context: ImageContext
    onNotice?: ArchiveContext['onNotice'] | undefined
  },
): Promise<CreateRequest> {
  const {archive = USUAL_ARCHIVE, architecture = host.architecture} = wish
  const image = wish.image ?? settings.value('defaultImage') ?? (await defaultImage())
  const {now} = context
  const around = {workingFolder: host.workingFolder, architecture, now}
  const reference = typeof image === 'string' ? await parseImageReference(image, around) : image
  const bootstrap = await bootstrapFor(reference, archive, now)
  return {
    reference,
    name: chooseName(wish.name, reference),
    architecture,
    sha256: wish.sha256 === undefined ? undefined : parseSha256(wish.sha256),
    identity: settings.value('identity'),
    engine: settings.value('engine'),
    storage: settings.value('storage'),
    archives: await archiveFacts(host, settings),
    isSynced: settings.value('durable') !== 'never',
    context,
    bootstrap,
    imageCheck: settings.value('imageCheck'),
    archive: archiveContext(host, settings, {...context, onNotice}),
  }
}

function chooseName(flag: string | undefined, reference: ImageReference): CreateRequest['name'] {
  const name = flag ?? environmentNameFor(reference)
  if (name === undefined)
    throw new UsageError('The image has no name for the environment.', ['Choose one: --name play'])
  return parseEnvironmentName(name)
}

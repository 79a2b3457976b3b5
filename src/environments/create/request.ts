import type {ArchiveContext} from '../../apt/context.js'
import {scopedKeyrings} from '../../config/schema.js'
import type {Settings} from '../../config/settings.js'
import {UsageError} from '../../errors.js'
import type {DebArchitecture} from '../../host/arch.js'
import type {Host} from '../../host/host.js'
import {type OsRelease, readOsRelease} from '../../host/os-release.js'
import {movedSuites, readCatalogue} from '../../images/catalog/catalog.js'
import type {ImageReference} from '../../images/name.js'
import {environmentNameFor, parseImageReference, parseSha256} from '../../images/reference.js'
import type {ImageContext, ImageNotice} from '../../images/sources/source.js'
import type {ArchiveFacts} from '../../rootfs/worker/api.js'
import {type EnvironmentName, parseEnvironmentName} from '../../store/environments.js'
import {type ArchiveWish, bootstrapFor, USUAL_ARCHIVE} from '../bootstrap/request.js'
import type {WantedImage} from './image-source.js'
import type {MeansWish} from './means.js'

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

type Options = {readonly onNotice?: ArchiveContext['onNotice']}

/** Where package archives are looked up for this host and user. @throws {@link invalidSettingError} */
export function archiveContext(
  {environment, which, paths}: Pick<Host, 'environment' | 'which' | 'paths'>,
  settings: Settings,
  {keyrings, now, allowSha1, signal, backoffMs, ...options}: Omit<ImageContext, 'onNotice'> & Options,
): ArchiveContext {
  return {
    environment,
    which,
    paths,
    mirrors: {
      debian: settings.value('mirrors.debianArchive'),
      debianSecurity: settings.value('mirrors.debianSecurity'),
      ubuntu: settings.value('mirrors.ubuntuArchive'),
    },
    ...{keyrings, now, allowSha1, signal, backoffMs},
    onNotice: options.onNotice,
  }
}

/** Where a new environment's APT is sent. @throws {@link invalidSettingError} */
async function archiveFacts({now}: Pick<Host, 'now'>, settings: Settings): Promise<ArchiveFacts> {
  return {
    ubuntuMirror: settings.value('mirrors.ubuntuArchive'),
    debianMirror: settings.value('mirrors.debianArchive'),
    movedSuites: movedSuites(await readCatalogue(), now()),
  }
}

/** The newest Ubuntu LTS. */
const NEWEST_LTS = 'ubuntu'

/**
 * The image to take where none is named: the host's own release, else the newest Ubuntu LTS.
 *
 * @returns A reference as `envs create` takes it.
 */
export async function defaultImage(): Promise<string> {
  return imageOfHost(await readOsRelease())
}

export function imageOfHost({id, codename}: OsRelease): string {
  // A codename stands in os-release without one being checked: what is no word is none.
  if (codename === undefined || !/^[a-z]{2,32}$/.test(codename)) return NEWEST_LTS
  if (id === 'ubuntu') return `ubuntu:${codename}`
  return id === 'debian' ? `debian:${codename}` : NEWEST_LTS
}

type ImageContextOptions = {
  readonly signal: AbortSignal
  readonly allowSha1?: boolean
  readonly onNotice?: (notice: ImageNotice) => void
}

/** Where images are looked up for this host and user, and by what they are judged. @throws {@link invalidSettingError} */
export function imageContext(
  {environment, now}: Pick<Host, 'environment' | 'now'>,
  settings: Settings,
  options: ImageContextOptions,
): ImageContext {
  return {
    mirrors: {
      ubuntuBase: settings.value('mirrors.ubuntuBase'),
      ubuntuCloud: settings.value('mirrors.ubuntuCloud'),
      lxc: settings.value('mirrors.lxc'),
    },
    keyrings: scopedKeyrings(settings.value('keyrings')),
    environment,
    now: now(),
    ...options,
  }
}

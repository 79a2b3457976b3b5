import type {ArchiveContext, ArchiveNotice} from '../../apt/context.js'
import {scopedKeyrings} from '../../config/schema.js'
import type {Settings} from '../../config/settings.js'
import {UsageError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {offlineEnvironment} from '../../host/http/proxy.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import {type OsRelease, readOsRelease} from '../../host/machine/os-release.js'
import {movedSuites, readCatalogue} from '../../images/catalog/catalog.js'
import type {ImageReference} from '../../images/name.js'
import {checkVerifiable} from '../../images/oci/signature.js'
import {environmentNameFor, parseImageReference, parseSha256} from '../../images/reference.js'
import type {ImageContext, ImageNotice} from '../../images/sources/source.js'
import {registrySettings} from '../../registry/hosts.js'
import {trustOptions} from '../../registry/trust/plan.js'
import type {ArchiveFacts} from '../../rootfs/worker/api.js'
import {type EnvironmentName, parseEnvironmentName} from '../../store/environments.js'
import type {EnvironmentSettings} from '../../store/record.js'
import {type ArchiveWish, type BootstrapRequest, bootstrapFor, DEFAULT_ARCHIVE} from '../bootstrap/request.js'
import {SYSTEMD_PACKAGES} from '../systemd-packages.js'
import type {InitWish} from './init-packages.js'
import type {MeansWish} from './means.js'
import type {WantedImage} from './wanted-image.js'

export type CreateRequest = WantedImage &
  MeansWish & {
    readonly name: EnvironmentName
    readonly archives: ArchiveFacts
    /** The init that the environment gets after its creation. */
    readonly init: InitWish
    /** The settings of its record, apart from the init. */
    readonly settings?: EnvironmentSettings | undefined
    /** Whether the tree is synced to disk before the environment is published. */
    readonly isSynced: boolean
    /** Whether the environment is removed some time after the command that creates it. */
    readonly isThrowaway?: boolean
    /** Keeps the writes of the environment in memory if possible; undefined for the disk. */
    readonly memory?: MemoryWish | undefined
  }

export type MemoryWish = {
  /** The limit of the setting, as typed; undefined for a share of the free memory. */
  readonly setting: string | undefined
}

/** The user's request for a new environment. */
export type CreateWish = {
  /** As typed, or parsed already; undefined for the default image. */
  readonly image: string | ImageReference | undefined
  readonly name: string | undefined
  readonly sha256: string | undefined
  /** Defaults to the architecture of the host. */
  readonly architecture?: DebArchitecture | undefined
  /** The content of an image that is made from packages. */
  readonly archive?: ArchiveWish
  /** Defaults to `none`. */
  readonly init?: InitWish | undefined
  /** The settings of its record, apart from the init. */
  readonly settings?: EnvironmentSettings | undefined
}

/**
 * Completes the arguments of `create` with the settings and facts of the host.
 *
 * @throws {UsageError} @throws {@link invalidSettingError}
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
  const {archive = DEFAULT_ARCHIVE, architecture = host.architecture, init = 'none'} = wish
  const image = wish.image ?? settings.value('defaultImage') ?? (await defaultImage())
  const {now} = context
  const around = {workingFolder: host.workingFolder, architecture, now}
  const reference = typeof image === 'string' ? await parseImageReference(image, around) : image
  checkVerifiable(reference, context)
  const asked = await bootstrapFor(reference, archive, now)
  const bootstrap = init === 'systemd' ? withPackages(asked, SYSTEMD_PACKAGES) : asked
  return {
    reference,
    name: chooseName(wish.name, reference),
    architecture,
    init,
    settings: wish.settings,
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

function withPackages(
  bootstrap: BootstrapRequest | undefined,
  packages: readonly string[],
): BootstrapRequest | undefined {
  if (bootstrap === undefined) return undefined
  const {archive} = bootstrap
  return {...bootstrap, archive: {...archive, include: [...new Set([...archive.include, ...packages])]}}
}

function chooseName(flag: string | undefined, reference: ImageReference): CreateRequest['name'] {
  const name = flag ?? environmentNameFor(reference)
  if (name === undefined)
    throw new UsageError('The image has no name for the environment.', ['Choose one: --name play'])
  return parseEnvironmentName(name)
}

/** A notice while an image is looked up, or made of packages. */
export type LookupNotice = ImageNotice | ArchiveNotice

type ArchiveContextOptions = {readonly onNotice?: ArchiveContext['onNotice']}

/** Returns the mirrors, keyrings and other context for APT repositories. @throws {@link invalidSettingError} */
export function archiveContext(
  {which, paths}: Pick<Host, 'which' | 'paths'>,
  settings: Settings,
  {
    environment,
    keyrings,
    now,
    allowSha1,
    signal,
    backoffMs,
    ...options
  }: Omit<ImageContext, 'onNotice'> & ArchiveContextOptions,
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

/** Returns the mirrors that the APT sources of a new environment name. @throws {@link invalidSettingError} */
export async function archiveFacts({now}: Pick<Host, 'now'>, settings: Settings): Promise<ArchiveFacts> {
  return {
    ubuntuMirror: settings.value('mirrors.ubuntuArchive'),
    debianMirror: settings.value('mirrors.debianArchive'),
    movedSuites: movedSuites(await readCatalogue(), now()),
  }
}

/** The newest Ubuntu LTS. */
const NEWEST_LTS = 'ubuntu'

/**
 * Returns the default image: the release of the host, else the newest Ubuntu LTS.
 *
 * @returns A reference as `envs create` accepts it.
 */
export async function defaultImage(): Promise<string> {
  return imageOfHost(await readOsRelease())
}

/** Returns the image of the host's release; the newest Ubuntu LTS for a host that is neither Ubuntu nor Debian. */
export function imageOfHost({id, codename}: OsRelease): string {
  // os-release is not validated: a codename that is not one word is ignored.
  if (codename === undefined || !/^[a-z]{2,32}$/.test(codename)) return NEWEST_LTS
  if (id === 'ubuntu') return `ubuntu:${codename}`
  return id === 'debian' ? `debian:${codename}` : NEWEST_LTS
}

type ImageContextOptions = {
  readonly signal: AbortSignal
  readonly allowSha1?: boolean
  readonly onNotice?: (notice: ImageNotice) => void
  /** Values of `--verify`. */
  readonly verify?: readonly string[] | undefined
  /** Whether each request is refused. */
  readonly offline?: boolean | undefined
}

/** Returns the mirrors, keyrings and other context for image servers. @throws {@link invalidSettingError} */
export function imageContext(
  {
    environment: own,
    now,
    uid,
    which,
    workingFolder,
    paths,
  }: Pick<Host, 'environment' | 'now' | 'paths' | 'uid' | 'which' | 'workingFolder'>,
  settings: Settings,
  {verify = [], offline = false, ...options}: ImageContextOptions,
): ImageContext {
  const environment = offline ? offlineEnvironment(own) : own
  return {
    mirrors: {
      ubuntuBase: settings.value('mirrors.ubuntuBase'),
      ubuntuCloud: settings.value('mirrors.ubuntuCloud'),
      lxc: settings.value('mirrors.lxc'),
    },
    keyrings: scopedKeyrings(settings.value('keyrings')),
    environment,
    copyFolder: paths.cache,
    now: now(),
    registries: {settings: registrySettings(settings), host: {environment, uid, which}},
    trust: {verify, demands: () => trustOptions({environment, workingFolder}, settings, verify)},
    ...options,
  }
}

import type {ArchiveContext} from '../archive/context.js'
import type {Settings} from '../config/settings.js'
import {UsageError} from '../errors.js'
import type {DebArchitecture} from '../host/architecture.js'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import {parseSha256} from '../images/digest.js'
import {environmentNameFor, type ImageReference, parseImageReference} from '../images/reference.js'
import type {ImageContext} from '../images/sources/source.js'
import type {StandardInput} from '../images/stream-image.js'
import type {ArchiveFacts} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import type {ImageCheck} from './answers-of-today.js'
import {archiveContext} from './archive-context.js'
import {archiveFacts} from './archive-facts.js'
import {bootstrapFor} from './bootstrap-for.js'
import {type ArchiveWish, type BootstrapRequest, USUAL_ARCHIVE} from './bootstrap-request.js'
import {defaultImage} from './default-image.js'
import type {EngineSetting} from './engine.js'
import {type EnvironmentName, parseEnvironmentName} from './name.js'
import type {EnvironmentRecord} from './record.js'

export type CreateRequest = {
  readonly reference: ImageReference
  readonly name: EnvironmentName
  /** Of its programs. */
  readonly architecture: DebArchitecture
  readonly sha256: Sha256 | undefined
  readonly identity: 'auto' | Identity
  readonly engine: EngineSetting
  readonly storage: 'auto' | EnvironmentRecord['storage']
  readonly archives: ArchiveFacts
  /** Whether the tree is on the disk before its environment appears. */
  readonly isSynced: boolean
  /** Whether it goes with the command that makes it. */
  readonly isThrowaway?: boolean
  /** For what it writes to be in memory where it can be; undefined for the disk. */
  readonly memory?: MemoryWish | undefined
  /** Where names are looked up, and by what images are judged; also how long it may take. */
  readonly context: ImageContext
  /** The image, where it has to be made of packages. */
  readonly bootstrap: BootstrapRequest | undefined
  /** Whether publishers are asked for what they were asked today. */
  readonly imageCheck: ImageCheck
  /** Where packages are looked up. */
  readonly archive: ArchiveContext
  /** What the image is read from in the place of the process's own standard input. */
  readonly standardInput?: StandardInput
}

export type MemoryWish = {
  /** The most it may take, as the user said it; undefined for a share of what is free. */
  readonly setting: string | undefined
}

/** What the user said of a new environment, as typed. */
export type CreateWish = {
  readonly image: string | undefined
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
  const text = wish.image ?? settings.value('defaultImage') ?? (await defaultImage())
  const reference = parseImageReference(text, {workingFolder: host.workingFolder})
  const {archive = USUAL_ARCHIVE, architecture = host.architecture} = wish
  const bootstrap = await bootstrapFor(reference, archive, {architecture, context})
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

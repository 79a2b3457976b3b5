import type {Settings} from '../config/settings.js'
import {UsageError} from '../errors.js'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import {parseSha256} from '../images/digest.js'
import {environmentNameFor, type ImageReference, parseImageReference} from '../images/reference.js'
import type {ImageContext} from '../images/sources/source.js'
import type {StandardInput} from '../images/stream-image.js'
import type {ArchiveFacts} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {archiveFacts} from './archive-facts.js'
import {defaultImage} from './default-image.js'
import {type EnvironmentName, parseEnvironmentName} from './name.js'
import type {EnvironmentRecord} from './record.js'

export type CreateRequest = {
  readonly reference: ImageReference
  readonly name: EnvironmentName
  readonly sha256: Sha256 | undefined
  readonly identity: 'auto' | Identity
  readonly storage: 'auto' | EnvironmentRecord['storage']
  readonly archives: ArchiveFacts
  /** Whether the tree is on the disk before its environment appears. */
  readonly isSynced: boolean
  /** Whether it goes with the command that makes it. */
  readonly isThrowaway?: boolean
  /** Where names are looked up, and by what images are judged; also how long it may take. */
  readonly context: ImageContext
  /** What the image is read from in the place of the process's own standard input. */
  readonly standardInput?: StandardInput
}

/** What the user said of a new environment, as typed. */
export type CreateWish = {
  readonly image: string | undefined
  readonly name: string | undefined
  readonly sha256: string | undefined
}

/**
 * Reads the arguments of `create`, the rest taken from the settings and from the host.
 *
 * @throws {UsageError}
 * @throws {InvalidSettingError}
 */
export async function planCreation(
  wish: CreateWish,
  {host, settings, context}: {host: Host; settings: Settings; context: ImageContext},
): Promise<CreateRequest> {
  const text = wish.image ?? settings.value('defaultImage') ?? (await defaultImage())
  const reference = parseImageReference(text, {workingFolder: host.workingFolder})
  return {
    reference,
    name: chooseName(wish.name, reference),
    sha256: wish.sha256 === undefined ? undefined : parseSha256(wish.sha256),
    identity: settings.value('identity'),
    storage: settings.value('storage'),
    archives: await archiveFacts(host, settings),
    isSynced: settings.value('durable') !== 'never',
    context,
  }
}

function chooseName(flag: string | undefined, reference: ImageReference): CreateRequest['name'] {
  const name = flag ?? environmentNameFor(reference)
  if (name === undefined) throw new UsageError('The image gives no name.', ['Choose one: --name play'])
  return parseEnvironmentName(name)
}

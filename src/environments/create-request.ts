import type {Settings} from '../config/settings.js'
import {UsageError} from '../errors.js'
import type {Host} from '../host/host.js'
import {parseSha256} from '../images/digest.js'
import {environmentNameFor, type ImageReference, parseImageReference} from '../images/reference.js'
import type {ImageContext} from '../images/sources/source.js'
import {archiveFacts} from './archive-facts.js'
import type {CreateRequest} from './create.js'
import {defaultImage} from './default-image.js'
import {parseEnvironmentName} from './name.js'

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

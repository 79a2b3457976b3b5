import {stat} from 'node:fs/promises'
import {ignoring} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {redactUrl} from '../../host/http/client.js'
import {noFileError} from '../../images/errors.js'
import type {ImageReference} from '../../images/name.js'
import {formatLocation} from '../../images/oci/location.js'
import type {CreationPreviewResult} from '../results.js'
import {refuseTaken} from './creation.js'
import {ImageAcquisition} from './image-acquisition.js'
import {chooseMeans} from './means.js'
import type {CreateRequest} from './request.js'
import type {ResolveHooks} from './wanted-image.js'

/**
 * Returns what a creation would do: the image is looked up, and neither downloaded nor made.
 *
 * @throws As `Creation.begin`, `ImageAcquisition.resolve`; {@link noFileError}
 */
export async function previewCreation(
  host: Host,
  request: CreateRequest,
  {signal, ...hooks}: ResolveHooks & {readonly signal: AbortSignal},
): Promise<CreationPreviewResult> {
  const {name, architecture, init, reference} = request
  await refuseTaken(host, name)
  const means = await chooseMeans(host, request)
  const acquisition = new ImageAcquisition(host, request, {means, signal})
  try {
    const {identity, storage, engine} = means
    const plan = {dryRun: true, name, identity, storage, engine, architecture, init} as const
    if (reference.kind !== 'name') return {...plan, action: 'read', image: await ownImage(reference)}
    const action = await acquisition.resolve(hooks)
    const {wasKept: _, architecture: __, ...image} = acquisition.describe()
    const packages = acquisition.packages ?? null
    return {...plan, action, image: {...image, packages}}
  } finally {
    await acquisition.close()
  }
}

async function ownImage(
  reference: Exclude<ImageReference, {kind: 'name'}>,
): Promise<CreationPreviewResult['image']> {
  const [source, sizeBytes] = await placeOf(reference)
  return {
    ...{name: null, version: null, source, url: null, sha256: null, sizeBytes},
    ...{signer: null, signedAt: null, packages: null},
  }
}

async function placeOf(
  reference: Exclude<ImageReference, {kind: 'name'}>,
): Promise<readonly [source: string, sizeBytes: number | null]> {
  switch (reference.kind) {
    case 'standard-input':
      return ['-', null]
    case 'container':
      return [formatLocation(reference.location), null]
    case 'url':
      return [redactUrl(reference.url), null]
    case 'file': {
      const {path} = reference
      const status = await stat(path).catch(ignoring('ENOENT'))
      if (status === undefined) throw noFileError(path)
      return [path, status.isFile() ? status.size : null]
    }
  }
}

import type {CreationPreviewResult} from '../../environments/results.js'
import {formatBytes} from '../format.js'
import {describeIdentity} from './text.js'

type Field = readonly [label: string, value: string | undefined]

/** An image that would be downloaded, made or used, as far as it is known before. */
type PreviewedImage = {
  readonly name: string | null
  readonly version: string | null
  readonly url: string | null
  readonly sha256: string | null
  readonly sizeBytes: number | null
  readonly signer: {readonly fingerprint: string; readonly name: string} | null
  readonly signedAt: Date | null
}

/** Returns the description of an image, as lines with titles. */
export function imageFields(image: PreviewedImage): Field[] {
  const {name, version, url, sizeBytes, sha256, signer, signedAt} = image
  return [
    ['Name', name ?? undefined],
    ['Version', version ?? undefined],
    ['URL', url ?? undefined],
    ['Size', sizeBytes === null ? undefined : formatBytes(sizeBytes)],
    ['Digest', sha256 === null ? undefined : `sha256:${sha256}`],
    ['Signer', signer === null ? undefined : `${signer.name}, ${signer.fingerprint}`],
    ['Signed', signedAt?.toISOString()],
  ]
}

/** Returns what `envs create` would do, as lines with titles. */
export function previewFields({
  name,
  action,
  image,
  identity,
  storage,
  engine,
  init,
}: CreationPreviewResult): Field[] {
  const {name: imageName, version, source} = image
  const [, , ...facts] = imageFields(image)
  return [
    ['Environment', name],
    ['Image', imageName === null ? source : `${imageName} ${version}`],
    ...facts,
    ['Image would be', describeAction(action, image)],
    ['Identity', describeIdentity(identity)],
    ['Storage', storage],
    ['Engine', engine],
    ['Init', init],
  ]
}

function describeAction(
  action: CreationPreviewResult['action'],
  {packages}: CreationPreviewResult['image'],
): string {
  switch (action) {
    case 'fetch':
      return 'downloaded'
    case 'kept':
      return 'used from the cache'
    case 'read':
      return 'read in place'
    case 'make':
      return packages === null
        ? 'made from packages'
        : `made from ${packages.count} packages, ${formatBytes(packages.sizeBytes)} to download`
  }
}

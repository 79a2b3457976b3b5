import {join} from 'node:path'
import {type OpenImageOptions, openImage} from '../../src/images/open.js'
import type {OpenedImage, OpenedTarballs} from '../../src/images/opened-image.js'
import {parseImageReference} from '../../src/images/reference.js'
import {type Resolution, resolveImage} from '../../src/images/resolve.js'
import {NOWHERE} from './image-context.js'

export type OpenReferenceOptions = Partial<OpenImageOptions> &
  Pick<Parameters<typeof resolveImage>[1], 'sha256'> & {
    readonly onResolved?: (resolution: Resolution) => void
  }

/** Opens what `envs create` would; all that is written lies in `folder`, which is the working folder too. */
export async function openReference(
  text: string,
  folder: string,
  {sha256, onResolved, ...options}: OpenReferenceOptions = {},
): Promise<OpenedTarballs> {
  const opening = {
    cacheFolder: join(folder, 'cache'),
    images: join(folder, 'images'),
    context: NOWHERE,
    ...options,
  }
  const {context, images} = opening
  const around = {workingFolder: folder, architecture: 'amd64', now: context.now} as const
  const resolution = await resolveImage(await parseImageReference(text, around), {images, context, sha256})
  onResolved?.(resolution)
  return tarballs(await openImage(resolution, opening))
}

/** The image, which is one of tarballs. */
export function tarballs(image: OpenedImage): OpenedTarballs {
  if ('layers' in image) return image
  throw new Error(`${image.source} is an image of containers`)
}

import type {BlobSource} from '../../registry/blob-source.js'
import type {ContainerLocation} from '../oci/location.js'
import {planVerification, verifyContainer} from '../oci/signature.js'
import type {ImageContext, ImageSource} from './source.js'

/** Source id of images of containers. */
export const CONTAINERS = 'oci'

/** Images of containers: in registries, OCI layouts, and archives as podman and Docker save them. */
export const containers: ImageSource = {
  id: CONTAINERS,
  matches: ({kind}) => kind === 'container',
  async resolve(reference, context) {
    if (reference.kind !== 'container') return undefined
    const {location, architecture} = reference
    const {resolveContainer} = await import('../oci/container-image.js')
    const {signal = new AbortController().signal} = context
    const plan = await planVerification(location, context)
    const source = await openSource(location, context)
    try {
      const resolved = await resolveContainer(location, source, {architecture, signal})
      const image = {...resolved, ...(await verifyContainer(resolved, source, {plan, signal}))}
      return {
        source: CONTAINERS,
        digest: image.digest,
        trust: {kind: image.trust === 'signed' ? 'signature' : image.trust},
        content: {kind: 'container', image, source},
        label: undefined,
      }
    } catch (error) {
      await source.close()
      throw error
    }
  },
}

async function openSource(location: ContainerLocation, _context: ImageContext): Promise<BlobSource> {
  if (location.kind === 'registry') throw new Error('registries come with their client')
  const {openLocal} = await import('../oci/location.js')
  return openLocal(location)
}

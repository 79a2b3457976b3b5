import type {ImageSource} from './source.js'

/** Images of containers: in registries, OCI layouts, and archives as podman and Docker save them. */
export const containers: ImageSource = {
  id: 'oci',
  matches: ({kind}) => kind === 'container',
  async resolve(reference, context) {
    if (reference.kind !== 'container') return undefined
    const {fetchContainer} = await import('../oci/resolve.js')
    return fetchContainer(reference, context)
  },
}

import type {ImageSource} from './source.js'

/** Tarballs that the user names by path or URL. They are read in place, and only a digest can vouch for them. */
export const local: ImageSource = {
  id: 'local',
  matches: ({kind}) => kind !== 'name' && kind !== 'container',
  async resolve(reference) {
    if (reference.kind === 'name' || reference.kind === 'container') return undefined
    return {
      source: 'local',
      digest: undefined,
      trust: {kind: 'unverified'},
      content: {kind: 'tarball', layer: {location: reference, digest: undefined, sizeBytes: undefined}},
      label: undefined,
    }
  },
}

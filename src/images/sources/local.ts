import type {ImageSource} from './source.js'

/** Archives that the user has, or names by URL: they are read where they are, and only a digest vouches for them. */
export const local: ImageSource = {
  id: 'local',
  matches: ({kind}) => kind !== 'name',
  async resolve(reference) {
    if (reference.kind === 'name') return undefined
    return {
      source: 'local',
      digest: undefined,
      trust: {kind: 'unverified'},
      content: {kind: 'tarball', layer: {location: reference, digest: undefined, sizeBytes: undefined}},
      label: undefined,
    }
  },
}

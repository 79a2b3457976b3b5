import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Programs recognise a container by this file. @see podman-run(1), "/run/.containerenv" */
export const containerMarker: Fix = {
  name: 'container-marker',
  describe: 'tell programs that they run in a container',
  plan: () => [{kind: 'file', path: 'run/.containerenv', content: fillTemplate('containerenv'), mode: 0o644}],
}

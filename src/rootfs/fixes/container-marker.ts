import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** By this file programs tell that they are not on bare metal. @see podman-run(1), "/run/.containerenv" */
export const containerMarker: Fix = {
  name: 'container-marker',
  describe: 'tell programs that they run in a container',
  plan: () => [{kind: 'file', path: 'run/.containerenv', content: fillTemplate('containerenv'), mode: 0o644}],
}

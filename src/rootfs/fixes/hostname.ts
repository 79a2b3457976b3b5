import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** @see hostname(5) */
export const hostname: Fix = {
  name: 'hostname',
  describe: 'name the environment',
  plan: (_, {name}) => [
    {kind: 'file', path: 'etc/hostname', content: fillTemplate('hostname', {name}), mode: 0o644},
  ],
}

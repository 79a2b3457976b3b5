import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Debian's and Ubuntu's bashrc put the content in front of the prompt. */
export const prompt: Fix = {
  name: 'prompt',
  describe: 'show the name in the prompt',
  plan: (_, {name}) => [
    {kind: 'file', path: 'etc/debian_chroot', content: fillTemplate('debian_chroot', {name}), mode: 0o644},
  ],
}

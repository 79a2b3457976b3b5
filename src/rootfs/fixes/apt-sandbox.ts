import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** With one mapped user, APT can't become its user _apt, and fails. @see apt.conf(5) */
export const aptSandbox: Fix = {
  name: 'apt-sandbox',
  describe: 'let APT download as root',
  plan(tree) {
    if (tree.kindOf('etc/apt') === 'nothing') return []
    return [{kind: 'file', path: 'etc/apt/apt.conf.d/90envs', content: fillTemplate('apt.conf'), mode: 0o644}]
  },
}

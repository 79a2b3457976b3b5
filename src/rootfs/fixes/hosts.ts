import type {Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** The address by which a Debian host finds its own name. @see Debian Reference, 5.1.1 */
const OWN_ADDRESS = '127.0.1.1'

/** Written, not bind-mounted, so that packages and users may change it. @see hosts(5) */
export const hosts: Fix = {
  name: 'hosts',
  describe: 'make the host name resolve',
  plan(tree, {name}) {
    const wanted = fillTemplate('hosts', {name}).toString('latin1')
    const present = tree.read('etc/hosts')?.toString('latin1') ?? ''
    const content = Buffer.from(mergeHosts(wanted, present), 'latin1')
    return [{kind: 'file', path: 'etc/hosts', content, mode: 0o644}]
  },
}

/** Returns the lines of envs, then those of the image and the user, without former names and duplicates. */
export function mergeHosts(wanted: string, present: string): string {
  const ours = new Set(linesOf(wanted).map(normalize))
  const kept = linesOf(present).filter(
    (line) => !ours.has(normalize(line)) && normalize(line).split(' ')[0] !== OWN_ADDRESS,
  )
  return wanted + kept.map((line) => `${line}\n`).join('')
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

function normalize(line: string): string {
  return line.trim().split(/\s+/).join(' ')
}

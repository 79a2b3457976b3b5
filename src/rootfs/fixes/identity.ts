import {canRenewKeys, findMachineFiles, RENEWAL_PROGRAM} from '../machine-files.js'
import {type Edit, type Fix, fillTemplate} from './fix.js'

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

/** Environments of one image, and a clone and its original, must not share keys that identify a machine. */
export const machineKeys: Fix = {
  name: 'machine-keys',
  describe: 'have keys of its own made at the first start',
  plan(tree) {
    const removals = findMachineFiles(tree).map((path): Edit => ({kind: 'removal', path}))
    if (!canRenewKeys(tree)) return removals
    // Before any key is removed: an interrupted fix must not leave a tree that has no keys and makes none.
    return [
      {kind: 'file', path: RENEWAL_PROGRAM, content: fillTemplate('renew-keys'), mode: 0o755},
      ...removals,
    ]
  },
}

/** Environments of one image must not have the same machine id. @see machine-id(5) */
export const machineId: Fix = {
  name: 'machine-id',
  describe: 'give the environment an identity of its own',
  plan(tree, facts) {
    const content = fillTemplate('machine-id', {machineId: facts.machineId})
    const edits: Edit[] = [{kind: 'file', path: 'etc/machine-id', content, mode: 0o444}]
    // Usually a link to the other one, which needs no change.
    if (tree.kindOf('var/lib/dbus/machine-id') === 'file') {
      edits.push({kind: 'file', path: 'var/lib/dbus/machine-id', content, mode: 0o444})
    }
    return edits
  },
}

/** Debian's and Ubuntu's bashrc put the content in front of the prompt. */
export const prompt: Fix = {
  name: 'prompt',
  describe: 'show the name in the prompt',
  plan: (_, {name}) => [
    {kind: 'file', path: 'etc/debian_chroot', content: fillTemplate('debian_chroot', {name}), mode: 0o644},
  ],
}

/** @see hostname(5) */
export const hostname: Fix = {
  name: 'hostname',
  describe: 'name the environment',
  plan: (_, {name}) => [
    {kind: 'file', path: 'etc/hostname', content: fillTemplate('hostname', {name}), mode: 0o644},
  ],
}

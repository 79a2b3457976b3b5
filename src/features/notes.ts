import type {Host} from '../host/host.js'
import {mayPing, type NetworkLimits, readNetworkLimits} from '../host/machine/network-limits.js'
import {templateText} from '../host/paths.js'
import type {SandboxFeature} from './feature.js'
import {refreshGuestFile} from './resolver.js'

/**
 * Explains commands that can't work in an environment, such as `systemctl`, in a shell of the guest. Nothing of it is in the
 * environment's files, and no program of the guest is replaced: bash reads the notes before each prompt.
 */
export const notes: SandboxFeature = {
  id: 'notes',
  engines: ['bwrap', 'unshare', 'proot'],
  async beforeSession({host, environment: {name, files}}) {
    const [program, table] = await Promise.all(
      ['guest/notes.bash', 'guest/notes.txt'].map((path) => templateText(path)),
    )
    const lines = guestNotes(table ?? '', {name, gid: host.gid, limits: readNetworkLimits()})
    const text = (program ?? '').replace('{notes}\n', () => lines)
    await refreshGuestFile(files.resolver, 'notes.bash', Buffer.from(text))
  },
}

/** A host that lets servers use the port of SSH reserves none that matters. */
const SSH_PORT = 22

/** Returns the notes of templates/guest/notes.txt that are true on this host, as a shell in the guest shows them. */
export function guestNotes(
  table: string,
  {name, gid, limits}: {readonly name: string; readonly limits: NetworkLimits} & Pick<Host, 'gid'>,
): string {
  const isTrue = (line: string) =>
    !(line.startsWith('ping ') && mayPing(limits, gid)) &&
    !(line.startsWith('service:') && limits.firstPort <= SSH_PORT)
  return table
    .split(/(?<=\n)/)
    .filter(isTrue)
    .join('')
    .replaceAll('{run}', '')
    .replaceAll('{name}', name)
    .replaceAll('{port}', String(limits.firstPort))
}

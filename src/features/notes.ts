import {basename} from 'node:path'
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
    const lines = guestNotes(table ?? '', {name, run: '', gid: host.gid, limits: readNetworkLimits()})
    const text = (program ?? '').replace('{notes}\n', () => lines)
    await refreshGuestFile(files.resolver, 'notes.bash', Buffer.from(text))
  },
}

/** A host that lets servers use the port of SSH reserves none that matters. */
const SSH_PORT = 22

type NoteFacts = Pick<Host, 'gid'> & {
  readonly name: string
  /** Words before a command that is to be typed: none in a shell of the guest. */
  readonly run: string
  readonly limits: NetworkLimits
}

/** Returns why a program is missing that can't work in an environment, and what to do; undefined for any other program. */
export async function noteOnMissing(
  {gid}: Pick<Host, 'gid'>,
  name: string,
  program: string,
): Promise<string | undefined> {
  const table = await templateText('guest/notes.txt')
  const facts = {name, run: `envs run ${name} `, gid, limits: readNetworkLimits()}
  const word = basename(program)
  for (const line of guestNotes(table, facts).split('\n')) {
    const [programs = '', ...text] = line.split(': ')
    if (word !== 'service' && programs.split(' ').includes(word)) return capitalize(text.join(': '))
  }
  return undefined
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Returns the notes of templates/guest/notes.txt that are true on this host, as a shell in the guest shows them. */
export function guestNotes(table: string, {name, run, gid, limits}: NoteFacts): string {
  const isTrue = (line: string) =>
    !(line.startsWith('ping ') && mayPing(limits, gid)) &&
    !(line.startsWith('service:') && limits.firstPort <= SSH_PORT)
  return table
    .split(/(?<=\n)/)
    .filter(isTrue)
    .join('')
    .replaceAll('{run}', run)
    .replaceAll('{name}', name)
    .replaceAll('{port}', String(limits.firstPort))
}

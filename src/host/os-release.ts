import {readFile} from 'node:fs/promises'
import {ignoring} from './errno.js'

/** Which distribution a tree is; texts as the file has them, unchecked. */
export type OsRelease = {readonly id: string | undefined; readonly codename: string | undefined}

/** @see os-release(5): the first that is there counts. */
const PLACES = ['/etc/os-release', '/usr/lib/os-release'] as const

/** What the host says of itself; nothing known where it says nothing. */
export async function readOsRelease(): Promise<OsRelease> {
  for (const path of PLACES) {
    const text = await readFile(path, 'utf8').catch(ignoring())
    if (text !== undefined) return parseOsRelease(text)
  }
  return {id: undefined, codename: undefined}
}

/** @see os-release(5): shell assignments, of which the last of a name holds. */
export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const {name, value} = /^(?<name>[A-Z0-9_]+)=(?<value>.*)$/.exec(line.trim())?.groups ?? {}
    if (name !== undefined && value !== undefined) values.set(name, unquote(value))
  }
  const known = (name: string) => values.get(name) || undefined
  return {id: known('ID'), codename: known('VERSION_CODENAME')}
}

/** Names and codenames hold nothing that a shell would have to be asked about. */
function unquote(value: string): string {
  return /^(["'])(?<inside>.*)\1$/.exec(value)?.groups?.['inside'] ?? value
}

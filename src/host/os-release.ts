import {readFile} from 'node:fs/promises'
import {ignoring} from './errno.js'
import {capture} from './process.js'

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

export type Version = {readonly major: number; readonly minor: number}

/** unshare(1) has --map-auto since this release. */
export const MAP_AUTO_SINCE: Version = {major: 2, minor: 38}

const TIMEOUT_MS = 5000

/**
 * Asks a program of util-linux for its version.
 *
 * @returns Undefined when it can't be run, or is another package's program of that name (BusyBox).
 */
export async function utilLinuxVersion(program: string): Promise<Version | undefined> {
  try {
    return parseUtilLinuxVersion((await capture([program, '--version'], {timeout: TIMEOUT_MS})).stdout)
  } catch {
    // Not startable, which is as good as not there.
    return undefined
  }
}

/** Reads a line such as `unshare from util-linux 2.41.5`. */
export function parseUtilLinuxVersion(text: string): Version | undefined {
  const {major, minor} = /\(?util-linux,? (?<major>\d+)\.(?<minor>\d+)/.exec(text)?.groups ?? {}
  return major === undefined || minor === undefined ? undefined : {major: Number(major), minor: Number(minor)}
}

export function isAtLeast(version: Version, wanted: Version): boolean {
  return version.major > wanted.major || (version.major === wanted.major && version.minor >= wanted.minor)
}

import {readFile} from 'node:fs/promises'
import {ignoring} from '../errno.js'
import {capture} from '../process.js'

/** The distribution of a tree; unchecked texts of the file. */
export type OsRelease = {readonly id: string | undefined; readonly codename: string | undefined}

/** @see os-release(5): the first existing file is used. */
const PLACES = ['/etc/os-release', '/usr/lib/os-release'] as const

/** Reads the os-release file of the host; all fields are undefined without one. */
export async function readOsRelease(): Promise<OsRelease> {
  for (const path of PLACES) {
    const text = await readFile(path, 'utf8').catch(ignoring())
    if (text !== undefined) return parseOsRelease(text)
  }
  return {id: undefined, codename: undefined}
}

/** Parses an os-release file. @see os-release(5): shell assignments; the last one of a name is used. */
export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const {name, value} = /^(?<name>[A-Z0-9_]+)=(?<value>.*)$/.exec(line.trim())?.groups ?? {}
    if (name !== undefined && value !== undefined) values.set(name, unquote(value))
  }
  const known = (name: string) => values.get(name) || undefined
  return {id: known('ID'), codename: known('VERSION_CODENAME')}
}

/** Removes quotes; ids and codenames contain no other shell syntax. */
function unquote(value: string): string {
  return /^(["'])(?<inside>.*)\1$/.exec(value)?.groups?.['inside'] ?? value
}

export type Version = {readonly major: number; readonly minor: number}

/** unshare(1) has --map-auto since this release. */
export const MAP_AUTO_SINCE: Version = {major: 2, minor: 38}

const TIMEOUT_MS = 5000

/**
 * Returns the version of a program of util-linux.
 *
 * @returns Undefined if it cannot be run, or belongs to another package (BusyBox).
 */
export async function utilLinuxVersion(program: string): Promise<Version | undefined> {
  try {
    return parseUtilLinuxVersion((await capture([program, '--version'], {timeout: TIMEOUT_MS})).stdout)
  } catch {
    // A program that cannot be started is treated as missing.
    return undefined
  }
}

/** Parses a line such as `unshare from util-linux 2.41.5`. */
export function parseUtilLinuxVersion(text: string): Version | undefined {
  const {major, minor} = /\(?util-linux,? (?<major>\d+)\.(?<minor>\d+)/.exec(text)?.groups ?? {}
  return major === undefined || minor === undefined ? undefined : {major: Number(major), minor: Number(minor)}
}

export function isAtLeast(version: Version, wanted: Version): boolean {
  return version.major > wanted.major || (version.major === wanted.major && version.minor >= wanted.minor)
}

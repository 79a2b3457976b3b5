import {capture} from './process.js'

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

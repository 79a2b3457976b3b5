import {type OsRelease, readOsRelease} from '../host/os-release.js'

/** The newest Ubuntu LTS. */
const NEWEST_LTS = 'ubuntu'

/**
 * The image to take where none is named: the host's own release, else the newest Ubuntu LTS.
 *
 * @returns A reference as `envs create` takes it.
 */
export async function defaultImage(): Promise<string> {
  return imageOfHost(await readOsRelease())
}

export function imageOfHost({id, codename}: OsRelease): string {
  // A codename stands in os-release without one being checked: what is no word is none.
  if (codename === undefined || !/^[a-z]{2,32}$/.test(codename)) return NEWEST_LTS
  if (id === 'ubuntu') return `ubuntu:${codename}`
  return id === 'debian' ? `debian:${codename}` : NEWEST_LTS
}

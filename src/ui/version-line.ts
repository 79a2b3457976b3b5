import {packageVersion} from '../host/paths.js'

/** Program, machine and Node, for a report. */
export function versionLine(): string {
  return `envs/${packageVersion()} ${process.platform}-${process.arch} node-${process.version}`
}

import type {PackageControl} from './control-files.js'

type Names = Pick<PackageControl, 'name' | 'architecture' | 'isMultiArchSame'>

/** Returns the name in dpkg's own files: with the architecture if several may be installed. */
export function databaseName({name, architecture, isMultiArchSame}: Names): string {
  return isMultiArchSame ? `${name}:${architecture}` : name
}

import type {PackageControl} from './control-files.js'

type Names = Pick<PackageControl, 'name' | 'architecture' | 'isMultiArchSame'>

/** By what dpkg's own files call a package: with its architecture where another may be there beside it. */
export function databaseName({name, architecture, isMultiArchSame}: Names): string {
  return isMultiArchSame ? `${name}:${architecture}` : name
}

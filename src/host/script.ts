import {perlMissingError} from './errors.js'
import type {Host} from './host.js'
import {templatePath} from './paths.js'

/** A program of templates/host that makes system calls which Node has no function for. */
export type Script =
  | 'anchor'
  | 'second-namespace'
  | 'copy-tree'
  | 'die-with-parent'
  | 'session'
  | 'map-ids'
  | 'load-filter'
  | 'set-capability'
  | 'list-layer'
  | 'signal-all'
  | 'squash'

/** Absolute path of the Perl that runs the scripts: the host's, or a fetched one; undefined where there is none. */
export function findPerl({which}: Pick<Host, 'which'>): string | undefined {
  return which('perl')
}

/** Returns the same path. @throws {PerlMissingError} */
export function requirePerl(host: Pick<Host, 'which'>): string {
  const perl = findPerl(host)
  if (perl === undefined) throw perlMissingError()
  return perl
}

/** Returns the words to put before a script's arguments. */
export function scriptWords(perl: string, script: Script): string[] {
  return [perl, templatePath(`host/${script}.pl`)]
}

import type {Host} from './host.js'
import {templatePath} from './paths.js'

/** What makes the system calls that Node has no function for: Perl, whose start is the shorter, else Python 3. */
export type Interpreter = {readonly name: 'perl' | 'python3'; readonly path: string}

/** A program of templates/host that is there in both languages. */
export type Script =
  | 'anchor'
  | 'copy-tree'
  | 'session'
  | 'map-ids'
  | 'load-filter'
  | 'set-capability'
  | 'list-layer'
  | 'signal-all'
  | 'squash'

/** The interpreter that runs them here, or undefined. */
export function findInterpreter({which}: Pick<Host, 'which'>): Interpreter | undefined {
  for (const name of ['perl', 'python3'] as const) {
    const path = which(name)
    if (path !== undefined) return {name, path}
  }
  return undefined
}

/** Words to put before a script's arguments. */
export function scriptWords({name, path}: Interpreter, script: Script): string[] {
  return name === 'perl'
    ? [path, templatePath(`host/${script}.pl`)]
    : [path, ...ISOLATED, templatePath(`host/${script}.py`)]
}

/** Nothing of the user's folders and variables, nor of a site's packages, is loaded. @see python3(1) */
export const ISOLATED = ['-I', '-S'] as const

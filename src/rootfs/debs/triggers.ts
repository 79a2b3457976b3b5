import type {PackageControl} from './control-files.js'
import {databaseName} from './database-names.js'

/** The triggers that a package is interested in. */
export type Interests = {
  /** Its name in dpkg's files. */
  readonly name: string
  readonly wants: readonly {readonly trigger: string; readonly waits: boolean}[]
}

const INTEREST = /^(?<directive>interest|interest-await|interest-noawait)\s+(?<trigger>[\x21-\x7e]+)$/
/** Name of an explicit trigger, which becomes a file name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9.+_-]*$/

/** @see deb-triggers(5) */
export function interestsOf(control: PackageControl): Interests {
  const text = control.files.get('triggers')?.content.toString('latin1') ?? ''
  const wants = text.split('\n').flatMap((line) => {
    const {directive, trigger} = INTEREST.exec(line.replace(/#.*/, '').trim())?.groups ?? {}
    if (trigger === undefined || !(trigger.startsWith('/') || NAME.test(trigger))) return []
    return [{trigger, waits: directive !== 'interest-noawait'}]
  })
  return {name: databaseName(control), wants}
}

/**
 * Returns the files in dpkg's triggers/ that list the interested packages.
 *
 * @see dpkg's source, doc/spec/triggers.txt, "Internals": `File` for paths, a file of its name for every
 * other trigger
 */
export function interestFiles(packages: readonly Interests[]): Map<string, string> {
  const files = new Map<string, string>()
  const add = (file: string, line: string) => files.set(file, `${files.get(file) ?? ''}${line}\n`)
  for (const {name, wants} of packages) {
    for (const {trigger, waits} of wants) {
      const package_ = waits ? name : `${name}/noawait`
      if (trigger.startsWith('/')) add('File', `${trigger} ${package_}`)
      else add(trigger, package_)
    }
  }
  return files
}

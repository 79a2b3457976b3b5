import {BECOME, SUFFIX} from '../diff/packages.js'

/** Programs that templates/rootfs/lay-shims replaces, by the folder that has them. */
const REPLACED: ReadonlyMap<string, readonly string[]> = new Map([
  ['bin', ['su']],
  ['sbin', ['runuser']],
  [
    'usr/bin',
    [
      ...['su', 'sudo', 'sudo.ws'],
      ...['backup', 'create', 'ctl', 'drop', 'rename', 'restore', 'upgrade'].map(
        (tool) => `pg_${tool}cluster`,
      ),
    ],
  ],
  ['usr/lib/cargo/bin', ['sudo']],
  ['usr/lib/postfix/sbin', ['smtpd']],
  ['usr/sbin', ['runuser']],
])

/** dpkg's list of files that have another name than in their package. */
export const DIVERSIONS = 'var/lib/dpkg/diversions'

/** A name of a folder on disk, and the name that it has in the image. */
export type Naming = {readonly name: string; readonly onDisk: string}

/**
 * Gives original programs their names again that envs has replaced in `emulated`: an image has them without the replacements.
 * The originals are named NAME.distrib.
 *
 * @param names - All names in the folder: byte strings, as all here.
 * @param linkTarget - Returns the target of a link, else undefined.
 * @returns The names in the order of their bytes.
 */
export function namesWithoutShims(
  folder: string,
  names: readonly string[],
  linkTarget: (name: string) => string | undefined,
): Naming[] {
  const present = new Set(names)
  const replaced = (REPLACED.get(folder) ?? []).filter(
    (name) => linkTarget(name) === BECOME || (present.has(`${name}${SUFFIX}`) && !present.has(name)),
  )
  const hidden = new Set(replaced.flatMap((name) => [name, `${name}${SUFFIX}`]))
  const restored = replaced
    .filter((name) => present.has(`${name}${SUFFIX}`))
    .map((name) => ({name, onDisk: `${name}${SUFFIX}`}))
  return [
    ...names.filter((name) => !hidden.has(name)).map((name) => ({name, onDisk: name})),
    ...restored,
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Removes the entries of lay-shims from dpkg's diversions: three lines each. @see dpkg-divert(1) */
export function diversionsWithoutShims(text: string): string {
  const lines = text.split('\n')
  let kept = ''
  for (let at = 0; at < lines.length; at += 3) {
    const [from = '', to, by] = lines.slice(at, at + 3)
    if (by === ':' && to === `${from}${SUFFIX}` && isReplaced(from)) continue
    kept += `${lines.slice(at, at + 3).join('\n')}${at + 3 < lines.length ? '\n' : ''}`
  }
  return kept
}

function isReplaced(path: string): boolean {
  const slash = path.lastIndexOf('/')
  return REPLACED.get(path.slice(1, slash))?.includes(path.slice(slash + 1)) === true
}

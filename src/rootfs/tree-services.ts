import {isErrno} from '../host/errno.js'
import {NO_MARKS} from './diff/layer-marks.js'
import {type MergedTree, openMergedTree} from './diff/merged.js'
import {type FolderHandle, openFolder} from './tree/paths.js'

/** A service as the files of a tree describe it. The guest writes these files: do not trust them. */
export type TreeService = {
  /** With its suffix: `nginx.service`. */
  readonly unit: string
  readonly description: string
  /** Whether an init would start it by itself. */
  readonly isEnabled: boolean
  /** Whether a package asked to start it, in vain. */
  readonly isRecorded: boolean
  readonly hasUnitFile: boolean
  /** Whether it has an init script, executable or not. */
  readonly hasScript: boolean
  /** The program that its unit file starts; undefined for an init script alone. */
  readonly program: string | undefined
  /** `/var/lib/postgresql/` of `postgresql.service`, of which each `postgresql@17-main.service` is a part, with `17/main` there. */
  readonly instanceFolders: readonly string[]
}

/** Written by templates/rootfs/services/policy-rc.d and note-services: a name a line, without `.service`. */
const RECORD = 'var/lib/envs/would-start'
/** A thousand times any real record. */
const MOST_RECORD_BYTES = 64 * 1024
/** More than any tree has services. */
const MOST_SERVICES = 500
/** Many times any real unit file or the head of an init script. */
const MOST_FILE_BYTES = 64 * 1024

/** In the order of systemd's search. @see systemd.unit(5), "UNIT FILE LOAD PATH" */
const UNIT_FOLDERS = [
  'etc/systemd/system',
  'usr/local/lib/systemd/system',
  'usr/lib/systemd/system',
  'lib/systemd/system',
]
const SCRIPTS = 'etc/init.d'
const RUNLEVELS = ['etc/rc2.d', 'etc/rc3.d', 'etc/rc4.d', 'etc/rc5.d', 'etc/rcS.d']

/** @see systemd.unit(5): the characters of a unit's name, and its length. */
const UNIT_NAME = /^[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,254}$/
const SUFFIX = /\.(?:service|socket|target|timer|path|mount|automount|swap|slice|scope|device)$/

/** Returns the full name of a unit, as systemctl(1) does; undefined where it can't be one. */
export function unitName(text: string): string | undefined {
  if (!UNIT_NAME.test(text)) return undefined
  return SUFFIX.test(text) ? text : `${text}.service`
}

/**
 * Reads the services that packages asked to start, and those in `others`, from a tree that may be in use. A service without a unit
 * file and an init script does not exist.
 *
 * Follows no link of the tree. Ignores marks of replaced folders (opaque ones), which no package makes here.
 *
 * @param folders - The folders of the tree's layers, the uppermost first.
 */
export function readTreeServices(
  folders: readonly string[],
  {others = []}: {readonly others?: Iterable<string>} = {},
): TreeService[] {
  const tree = openMergedTree(
    folders.map((folder) => ({folder, marks: NO_MARKS})),
    [...folders.keys()],
  )
  const recorded = new Set(recordedUnits(tree))
  const enabled = enabledUnits(tree)
  return [...new Set([...recorded, ...others])].sort().flatMap((unit) => {
    const text = readUnitFile(tree, unit)
    const script = readScript(tree, unit)
    if (text === undefined && script === undefined) return []
    const described = text === undefined ? shortDescription(script ?? '') : lastSetting(text, 'Description')
    return [
      {
        unit,
        description: described ?? '',
        isEnabled: enabled.has(unit),
        isRecorded: recorded.has(unit),
        hasUnitFile: text !== undefined,
        hasScript: script !== undefined,
        program: text === undefined ? undefined : startedProgram(text),
        instanceFolders: text === undefined ? [] : instanceFolders(tree, unit),
      },
    ]
  })
}

function recordedUnits(tree: MergedTree): string[] {
  const text = tree.read(RECORD, {maxBytes: MOST_RECORD_BYTES})?.toString('latin1') ?? ''
  return text
    .split('\n')
    .flatMap((name) => unitName(name) ?? [])
    .slice(0, MOST_SERVICES)
}

/** @see systemd.unit(5), "[Install] section options"; insserv(8) */
function enabledUnits(tree: MergedTree): ReadonlySet<string> {
  const [folder] = UNIT_FOLDERS
  const wants = tree.inFolder(folder ?? '', (found) =>
    found.names().filter((name) => /\.(?:wants|requires)$/.test(name)),
  )
  const linked = (wants ?? []).flatMap(
    (name) => tree.inFolder(`${folder}/${name}`, (found) => found.names()) ?? [],
  )
  const scripts = RUNLEVELS.flatMap((level) => tree.inFolder(level, (found) => found.names()) ?? []).flatMap(
    (name) => /^S[0-9]{2}(?<script>.+)$/.exec(name)?.groups?.['script'] ?? [],
  )
  return new Set([...linked, ...scripts].flatMap((name) => unitName(name) ?? []))
}

/** Returns the text of a unit file; of its template for an instance, `name@x.service`; undefined for a masked unit. */
function readUnitFile(tree: MergedTree, unit: string): string | undefined {
  const template = unit.replace(/^(?<name>[^@]+@)[^@]+(?<suffix>\.[a-z]+)$/, '$<name>$<suffix>')
  for (const name of new Set([unit, template])) {
    for (const folder of UNIT_FOLDERS) {
      const found = tree.inFolder(folder, (units) => ({
        text: units.read(name, {maxBytes: MOST_FILE_BYTES})?.toString('utf8'),
        target: units.linkTarget(name),
      }))
      if (found?.text !== undefined) return found.text
      if (found?.target === '/dev/null') return undefined
      // An alias: the target has the same folders before it.
      const alias = found?.target?.split('/').at(-1)
      if (alias !== undefined && alias !== name && UNIT_NAME.test(alias)) return readPlainUnit(tree, alias)
    }
  }
  return undefined
}

function readPlainUnit(tree: MergedTree, name: string): string | undefined {
  for (const folder of UNIT_FOLDERS) {
    const text = tree.read(`${folder}/${name}`, {maxBytes: MOST_FILE_BYTES})
    if (text !== undefined) return text.toString('utf8')
  }
  return undefined
}

function readScript(tree: MergedTree, unit: string): string | undefined {
  if (!unit.endsWith('.service')) return undefined
  return tree
    .read(`${SCRIPTS}/${unit.slice(0, -'.service'.length)}`, {maxBytes: MOST_FILE_BYTES})
    ?.toString('utf8')
}

/** @see Linux Standard Base 5.0, "Comment Conventions for Init Scripts" */
function shortDescription(script: string): string | undefined {
  return /^# Short-Description:[ \t]*(?<text>.*)$/m.exec(script)?.groups?.['text']?.trim()
}

function lastSetting(text: string, key: string): string | undefined {
  const lines = [...text.matchAll(/^[ \t]*(?<key>[A-Za-z]+)[ \t]*=[ \t]*(?<value>.*?)[ \t]*$/gm)]
  return lines.findLast(({groups}) => groups?.['key'] === key)?.groups?.['value']
}

/** @see systemd.unit(5), "SPECIFIERS": `%I` is the name of the instance, a path for those whose name is an escaped one. */
function instanceFolders(tree: MergedTree, unit: string): string[] {
  const template = /^(?<name>[^@]+)\.service$/.exec(unit)?.groups?.['name']
  const text = template === undefined ? undefined : readPlainUnit(tree, `${template}@.service`)
  if (text === undefined || !settingWords(text, 'PartOf').includes(unit)) return []
  return settingWords(text, 'RequiresMountsFor').flatMap(
    (path) => /^(?<folder>\/.+\/)%I$/.exec(path)?.groups?.['folder'] ?? [],
  )
}

function settingWords(text: string, key: string): string[] {
  return lastSetting(text, key)?.split(/\s+/) ?? []
}

/** @see systemd.service(5), "COMMAND LINES": prefixes before the program. */
function startedProgram(text: string): string | undefined {
  const line = lastSetting(text, 'ExecStart')
  const program =
    line === undefined ? undefined : /^[-@:+!|]*(?<program>\/[^\s"']+)/.exec(line)?.groups?.['program']
  return program
}

/**
 * Returns whether a path of a tree that may be in use is a folder. Follows no link.
 *
 * @param root - Folder, or a link of the kernel to one: `/proc/PID/root`.
 * @param path - One component each.
 */
export function isFolderOfGuest(root: string, path: readonly string[]): boolean {
  const folders: FolderHandle[] = []
  try {
    let place: Buffer | string = `${root}/.`
    for (const component of [...path, '.']) {
      const folder = openFolder(place)
      folders.push(folder)
      place = folder.entry(Buffer.from(component))
    }
    return true
  } catch (error) {
    if (!isErrno(error)) throw error
    return false
  } finally {
    for (const folder of folders) folder.close()
  }
}

import {didYouMean} from '../../errors.js'
import {nearestNames} from '../../host/nearest.js'
import {projectFileError, unknownTableError} from './errors.js'
import {findPosition} from './positions.js'
import type {EnvironmentTable, ProjectTables} from './schema.js'

/** A file that was read. */
export type ProjectFile = {
  readonly path: string
  /** For positions in messages. */
  readonly text: string
  readonly tables: ProjectTables
}

/** The tables whose keys are joined one by one; any other value of the own table replaces that of the other. */
const JOINED = ['env', 'limits', 'services', 'hooks'] as const satisfies readonly (keyof EnvironmentTable)[]

/**
 * Returns the table of an environment with what it takes from the one that it extends. One step: a table that extends another cannot
 * be extended itself.
 *
 * @throws {@link unknownTableError} @throws {@link projectFileError}
 */
export function tableOf(file: ProjectFile, name: string): EnvironmentTable & {readonly image: string} {
  const own = requireTable(file, name)
  const {extends: other, ...rest} = own
  const table = other === undefined ? rest : joined(baseOf(file, {name, other}), rest)
  const {image} = table
  if (image === undefined)
    throw refuse(file, ['env', name], `"env.${name}" names no image; write, for example: image = "noble"`)
  return {...table, image}
}

/** Returns the environments that a command without a name means: the default, the only one, or all. @throws {@link projectFileError} */
export function usualNames(file: ProjectFile): readonly string[] {
  const names = Object.keys(file.tables.env)
  const {default: usual} = file.tables
  if (usual === undefined) return names
  if (!names.includes(usual))
    throw refuse(file, ['default'], `"default" names no environment of the file: ${usual}`)
  return [usual]
}

function requireTable({path, tables}: ProjectFile, name: string): EnvironmentTable {
  const table = Object.hasOwn(tables.env, name) ? tables.env[name] : undefined
  if (table !== undefined) return table
  const known = Object.keys(tables.env)
  const hints = didYouMean(nearestNames(name, known))
  throw unknownTableError({path, name, known: known.length === 0 ? 'none' : known}, {hints})
}

function baseOf(file: ProjectFile, {name, other}: {name: string; other: string}): EnvironmentTable {
  const at = ['env', name, 'extends']
  const base = Object.hasOwn(file.tables.env, other) ? file.tables.env[other] : undefined
  if (base === undefined) throw refuse(file, at, `"env.${name}" extends "${other}", which the file has not`)
  if (base.extends !== undefined)
    throw refuse(
      file,
      at,
      `"env.${name}" extends "${other}", which itself extends "${base.extends}": one step only`,
    )
  return base
}

function joined(base: EnvironmentTable, own: EnvironmentTable): EnvironmentTable {
  const tables = JOINED.flatMap((key) =>
    base[key] === undefined || own[key] === undefined ? [] : [[key, {...base[key], ...own[key]}] as const],
  )
  return {...base, ...own, ...Object.fromEntries(tables)}
}

function refuse({path, text}: ProjectFile, keys: readonly string[], problem: string) {
  const {line, column} = findPosition(text, keys)
  return projectFileError({where: `${path}:${line}:${column}`, problem})
}

import {accessSync, readdirSync, readFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {dirname, isAbsolute, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {UsageError} from '../errors.js'

/** Programs that were fetched for this user: `tools/TOOL/VERSION/`, of which the last is used. */
export function toolsFolder({data}: Pick<Paths, 'data'>): string {
  return join(data, 'tools')
}

/** The folder of a fetched tool's programs; undefined where it was not fetched. */
export function fetchedTool(paths: Pick<Paths, 'data'>, tool: string): string | undefined {
  const folder = join(toolsFolder(paths), tool)
  try {
    const versions = readdirSync(folder).filter((entry) => !entry.startsWith('.'))
    const last = versions.sort().at(-1)
    return last === undefined ? undefined : join(folder, last)
  } catch {
    // Not there, or nobody's to read.
    return undefined
  }
}

/** Where envs keeps its things; absolute paths, none of them made yet. */
export type Paths = {
  readonly data: string
  readonly cache: string
  /** What environments share of packages; see src/features/package-cache.ts. */
  readonly packages: string
  /** The folder of `config.json`. */
  readonly config: string
  readonly environments: string
  readonly images: string
  /** What environments are stacked of. */
  readonly layers: string
  readonly locks: string
  /** The user's own programs, where shims go. @see https://specifications.freedesktop.org/basedir-spec/latest/ */
  readonly programs: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Folders by `ENVS_HOME`, else by the XDG base directories.
 *
 * @throws {UsageError} When `ENVS_HOME` is relative: the environments would depend on where a command is run.
 * @see https://specifications.freedesktop.org/basedir-spec/latest/ : a relative value is to be ignored.
 */
export function openPaths(environment: Environment, home: string): Paths {
  const own = ownHome(environment['ENVS_HOME'])
  const xdg = (name: string, fallback: string) =>
    join(absolute(environment[name]) ?? join(home, fallback), 'envs')
  const data = own === undefined ? xdg('XDG_DATA_HOME', '.local/share') : join(own, 'data')
  const cache = own === undefined ? xdg('XDG_CACHE_HOME', '.cache') : join(own, 'cache')
  return {
    data,
    cache,
    packages: join(cache, 'packages'),
    config: own === undefined ? xdg('XDG_CONFIG_HOME', '.config') : join(own, 'config'),
    environments: join(data, 'environments'),
    images: join(data, 'images'),
    layers: join(data, 'layers'),
    locks: join(data, 'locks'),
    programs: join(home, '.local', 'bin'),
  }
}

function ownHome(value: string | undefined): string | undefined {
  if (value === undefined || value === '' || isAbsolute(value)) return value || undefined
  throw new UsageError(`ENVS_HOME "${value}" is not an absolute path.`, [
    'Set ENVS_HOME to an absolute path.',
  ])
}

/** The package's own folder, found from the sources and from the bundle alike. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!isPackageRoot(folder)) {
    const parent = dirname(folder)
    if (parent === folder)
      throw new Error('envs is not inside its package: no package.json with templates/ above it')
    folder = parent
  }
  return folder
}

/** The version of this package, as its package.json has it. */
export function packageVersion(): string {
  const value: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  if (typeof value !== 'object' || value === null || !('version' in value))
    throw new Error('a package without a version')
  return String(value.version)
}

/** A file laid into a rootfs, or run beside it, as it lies in `templates/`. */
export function templatePath(name: string): string {
  return join(packageRoot(), 'templates', name)
}

export function templateText(name: string): Promise<string> {
  return readFile(templatePath(name), 'utf8')
}

function isPackageRoot(folder: string): boolean {
  try {
    accessSync(join(folder, 'package.json'))
    accessSync(join(folder, 'templates'))
    return true
  } catch {
    return false
  }
}

function absolute(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined
}

/**
 * The folder of packages that every environment of the user reads and writes, each file named by its SHA-256: hostile.
 *
 * It lies in a folder that no guest can reach: a guest may give its own to everybody, and leave setuid files there.
 */
export function sharedPackages(paths: Pick<Paths, 'packages'>): string {
  return join(paths.packages, 'sha256')
}

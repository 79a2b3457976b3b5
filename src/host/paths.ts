import {accessSync, readdirSync, readFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {dirname, isAbsolute, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {UsageError} from '../errors.js'
import {hasBytes} from './argv/bytes.js'
import {notUtf8Error} from './errors.js'

/** Folders of envs; absolute paths, which may not exist yet. */
export type Paths = {
  readonly data: string
  readonly cache: string
  /** Packages that environments share; see src/features/package-cache.ts. */
  readonly packages: string
  /** The folder of `config.json`. */
  readonly config: string
  readonly environments: string
  readonly images: string
  /** Lower layers of environments. */
  readonly layers: string
  readonly locks: string
  /**
   * The user's program folder, in which shims are created.
   *
   * @see https://specifications.freedesktop.org/basedir-spec/latest/
   */
  readonly programs: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Returns the folders by `ENVS_HOME`, else by the XDG base directories.
 *
 * @throws {UsageError} If `ENVS_HOME` is relative: the store would depend on the working folder.
 * @throws {@link notUtf8Error} Node can't open such a path by its name.
 * @see https://specifications.freedesktop.org/basedir-spec/latest/ : a relative value is to be ignored.
 */
export function openPaths(environment: Environment, home: string): Paths {
  const own = ownHome(environment['ENVS_HOME'])
  const xdg = (name: string, fallback: string) =>
    join(absolute(environment[name]) ?? join(home, fallback), 'envs')
  const data = own === undefined ? xdg('XDG_DATA_HOME', '.local/share') : join(own, 'data')
  const cache = own === undefined ? xdg('XDG_CACHE_HOME', '.cache') : join(own, 'cache')
  const config = own === undefined ? xdg('XDG_CONFIG_HOME', '.config') : join(own, 'config')
  const unnamable = [data, cache, config].find(hasBytes)
  if (unnamable !== undefined)
    throw notUtf8Error({text: unnamable}, {suggestions: ['Set ENVS_HOME to a folder with a path in UTF-8.']})
  return {
    data,
    cache,
    packages: join(cache, 'packages'),
    config,
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

function absolute(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined
}

/** Returns the folder of fetched programs: `tools/TOOL/VERSION/`; the last version is used. */
export function toolsFolder({data}: Pick<Paths, 'data'>): string {
  return join(data, 'tools')
}

/** Returns the folder of a fetched tool; undefined if it was not fetched. */
export function fetchedTool(paths: Pick<Paths, 'data'>, tool: string): string | undefined {
  const folder = join(toolsFolder(paths), tool)
  try {
    const versions = readdirSync(folder).filter((entry) => !entry.startsWith('.'))
    const last = versions.sort().at(-1)
    return last === undefined ? undefined : join(folder, last)
  } catch {
    // The folder is missing or unreadable.
    return undefined
  }
}

/** Returns the folder of this package, from the sources and from the bundle alike. */
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

/** Returns the version in package.json. */
export function packageVersion(): string {
  const value: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  if (typeof value !== 'object' || value === null || !('version' in value))
    throw new Error('a package without a version')
  return String(value.version)
}

/** Returns the path of a file in `templates/`, which is copied into a root file system or run on the host. */
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

/**
 * Returns the folder of packages that all environments of the user read and write, named by their SHA-256:
 * untrusted.
 *
 * Its parent is a folder that no guest can reach: a guest may open the permissions of the folder itself, and leave
 * setuid files in it.
 */
export function sharedPackages(paths: Pick<Paths, 'packages'>): string {
  return join(paths.packages, 'sha256')
}

import {existsSync, readdirSync} from 'node:fs'
import {chmod, mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import type {ArchiveContext, PlannedPackage} from '../../apt/context.js'
import {downloadPackages, type PackageDownloads} from '../../apt/download.js'
import {planPackages} from '../../apt/plan.js'
import {toolNotRunnableError, toolSignerError, toolsBusyError} from '../../features/emulation.js'
import {makeFolders, publish, syncFilesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {succeeds} from '../../host/id-mapping.js'
import {takeLock} from '../../host/locks.js'
import {DEB_ARCHITECTURES, qemuProgram} from '../../host/machine/arch.js'
import {QEMU_TOOL} from '../../host/machine/qemu.js'
import {toolsFolder} from '../../host/paths.js'
import {readCatalogue, resolveRelease} from '../../images/catalog/catalog.js'
import {UnknownSignerError} from '../../images/signature/errors.js'
import {extractFolder, extractLibraries, extractPrograms} from '../../rootfs/debs/extract.js'
import type {FetchedToolResult} from '../doctor/results.js'

/** QEMU's user-mode emulators. Debian links them statically since trixie; other distributions do not. */
export const QEMU: ToolSource = {
  tool: QEMU_TOOL,
  packageName: 'qemu-user',
  programs: DEB_ARCHITECTURES.map((architecture) => `usr/bin/${qemuProgram(architecture)}`),
}

/** The package of Debian that provides a tool, and its programs. */
export type ToolSource = {
  /** The name of the tool's folder. */
  readonly tool: string
  readonly packageName: string
  /** Paths in the package: `usr/bin/qemu-arm`. */
  readonly programs: readonly string[]
  /** Packages whose libraries the programs load, including libc6; undefined for statically linked programs. */
  readonly libraryPackages?: readonly string[]
} & Partial<Pick<LoadedTool, 'modules' | 'names' | 'trial'>>

export type FetchedTool = FetchedToolResult

const LOCK_WAIT_MS = 300_000

/**
 * Installs a tool for this host from Debian's stable release into the user's data folder, verified like all packages.
 * Removes older versions of the tool.
 *
 * The setting `keyrings` is ignored: its keys vouch for programs that run in environments, not on the host.
 *
 * @param options.isPortable - As in `writeLaunchers`.
 * @throws {@link toolSignerError} @throws {@link toolsBusyError} @throws {NodeJS.ErrnoException}
 * @throws As `planPackages`, `downloadPackages` and `extractPrograms`.
 */
export async function fetchTool(
  host: Pick<Host, 'paths' | 'architecture' | 'which'>,
  wish: ToolSource,
  context: ArchiveContext,
  {isPortable = false}: {isPortable?: boolean} = {},
): Promise<FetchedTool> {
  const {tool} = wish
  const folder = join(toolsFolder(host.paths), tool)
  await makeFolders(folder, {mode: 0o700})
  const lock = await takeLock(join(folder, '.lock'), {mode: 'exclusive', waitMs: LOCK_WAIT_MS})
  if (lock === undefined) throw toolsBusyError({tool})
  try {
    const [wanted, ...libraries] = await findPackages(host, wish, {...context, keyrings: []})
    const destination = join(folder, wanted.version)
    const entries = (await readdir(folder)).filter((entry) => entry !== '.lock')
    const wasKept = entries.includes(wanted.version)
    if (!wasKept) await install(host, {...wish, wanted, libraries, folder, destination, isPortable}, context)
    for (const entry of entries) {
      if (entry !== wanted.version) await rm(join(folder, entry), {recursive: true, force: true})
    }
    return {version: wanted.version, folder: destination, wasKept}
  } finally {
    lock.release()
  }
}

/** Plans the packages of a tool. @returns The package with the programs first, then those with libraries. */
async function findPackages(
  {architecture}: Pick<Host, 'architecture'>,
  {packageName, libraryPackages = []}: ToolSource,
  context: ArchiveContext,
): Promise<[PlannedPackage, ...PlannedPackage[]]> {
  const release = resolveRelease('stable', await readCatalogue(), context.now)
  if (release === undefined) throw new Error('no stable release of Debian is known')
  const {codename, version} = release
  const plan = await planPackages(
    {
      release: {distribution: 'debian', codename, version, hasMoved: false},
      ...{architecture, variant: 'minbase', include: [packageName, ...libraryPackages], components: []},
    },
    context,
  ).catch((error: unknown) => {
    throw error instanceof UnknownSignerError
      ? toolSignerError({packageName, reason: error.message}, {cause: error})
      : error
  })
  const find = (name: string) => {
    const found = plan.packages.find((each) => each.name === name)
    if (found === undefined) throw new Error(`${name} was asked for and is not in the plan`)
    return found
  }
  return [find(packageName), ...libraryPackages.map(find)]
}

type ToolInstallation = ToolSource & {
  readonly wanted: PlannedPackage
  readonly libraries: readonly PlannedPackage[]
  readonly folder: string
  readonly destination: string
  readonly isPortable: boolean
}

async function install(
  host: Pick<Host, 'which'>,
  source: ToolInstallation,
  context: ArchiveContext,
): Promise<void> {
  const {wanted, libraries, folder, destination} = source
  const partial = await mkdtemp(join(folder, '.partial.'))
  const downloads = await downloadPackages({packages: [wanted, ...libraries]}, context)
  try {
    const into = join(partial, 'programs')
    await unpack(host, downloads, {...source, into}, context)
    for (const each of foldersIn(into)) await syncFilesIn(each)
    await publish(into, destination)
  } finally {
    await downloads.close()
    await rm(partial, {recursive: true, force: true})
  }
}

async function unpack(
  {which}: Pick<Host, 'which'>,
  downloads: PackageDownloads,
  {wanted, libraries, into, ...tool}: ToolInstallation & {readonly into: string},
  {signal}: ArchiveContext,
): Promise<void> {
  const {libc, others} = libraryFolders(into)
  const isLoading = libraries.length > 0
  await mkdir(into, {mode: 0o700})
  if (isLoading) for (const path of [libc, others]) await mkdir(path, {mode: 0o700})
  const paths = new Map(
    tool.programs.map((program) => [program, join(isLoading ? others : into, programName(tool, program))]),
  )
  for await (const {
    package: {name},
    path,
  } of downloads) {
    if (name === wanted.name) {
      await extractPrograms({name, path}, paths, {which, signal})
      const {modules} = tool
      if (modules !== undefined)
        await extractFolder(
          {name, path},
          {place: modules.place, into: join(into, modules.folder)},
          {which, signal},
        )
    } else await extractLibraries({name, path}, name === 'libc6' ? libc : others, {which})
  }
  if (isLoading) await writeLaunchers(tool, into, tool)
}

function foldersIn(folder: string): string[] {
  const entries = readdirSync(folder, {recursive: true, withFileTypes: true})
  const below = entries.filter((entry) => entry.isDirectory())
  return [folder, ...below.map(({parentPath, name}) => join(parentPath, name))]
}

/** Returns the folders of the libraries of a fetched tool. */
export function libraryFolders(folder: string): {readonly libc: string; readonly others: string} {
  return {libc: join(folder, 'libc'), others: join(folder, 'lib')}
}

/** A tool whose programs load shared libraries. */
export type LoadedTool = {
  readonly tool: string
  /** Paths in the package: `usr/bin/proot`. */
  readonly programs: readonly string[]
  /** Files that the programs read: their place in the package, their folder in the tool, and the option that names it. */
  readonly modules?: {readonly place: RegExp; readonly folder: string; readonly option: string}
  /** Names of programs that differ from those of their files in the package. */
  readonly names?: Readonly<Record<string, string>>
  /** Arguments of a trial run; `--version` by default. */
  readonly trial?: readonly string[]
}

/** Matches the file name of the dynamic linker in libc6. @see ld.so(8) */
const LOADER = /^ld(?:-linux[A-Za-z0-9_-]*|64)\.so\.[0-9]+$/
/** The folders of the dynamic linker on a host. */
const LOADER_FOLDERS = ['/lib64', '/lib', '/usr/lib64', '/usr/lib']

/**
 * Writes a launcher script for each program in `lib/`.
 *
 * A launcher uses the dynamic linker and C library of the host if the programs run with them, so that the kernel executes
 * a file of root and not of the user; else it uses the fetched ones.
 *
 * @param folder - The tool's folder; it may be renamed later.
 * @param options.isPortable - Whether the tool may be moved to another host: then launchers use the fetched linker only.
 * @throws {@link toolNotRunnableError} When the programs run with neither.
 */
export async function writeLaunchers(
  tool: LoadedTool,
  folder: string,
  {isPortable = false}: {isPortable?: boolean | undefined} = {},
): Promise<void> {
  const {libc} = libraryFolders(folder)
  const loader = (await readdir(libc)).find((name) => LOADER.test(name))
  if (loader === undefined) throw toolNotRunnableError({tool: tool.tool})
  const places = isPortable ? [] : LOADER_FOLDERS
  const host = places.map((place) => join(place, loader)).find((path) => existsSync(path))
  if (host !== undefined && (await runsWith(folder, tool, `${host} --library-path "$here/lib"`))) {
    await rm(libc, {recursive: true})
    return
  }
  const own = `"$here/libc/${loader}" --library-path "$here/libc:$here/lib"`
  if (!(await runsWith(folder, tool, own))) throw toolNotRunnableError({tool: tool.tool})
}

function programName({names = {}}: Pick<LoadedTool, 'names'>, path: string): string {
  return names[path] ?? basename(path)
}

/** Writes the launchers and runs each once. @param linker - Shell words before the program. @returns Whether all succeed. */
async function runsWith(folder: string, tool: LoadedTool, linker: string): Promise<boolean> {
  const {programs, modules, trial = ['--version']} = tool
  const options = modules === undefined ? '' : `${modules.option} "$here/${modules.folder}" `
  for (const name of programs.map((path) => programName(tool, path))) {
    const path = join(folder, name)
    const script = `#!/bin/sh\nhere=\${0%/*}\nexec ${linker} "$here/lib/${name}" ${options}"$@"\n`
    await writeFile(path, script, {mode: 0o755})
    await chmod(path, 0o755)
    if (!(await succeeds([path, ...trial]))) return false
  }
  return true
}

/** The tools that envs can install for a user whose host lacks them. */
export const FETCHABLE = {
  bubblewrap: {
    tool: 'bubblewrap',
    packageName: 'bubblewrap',
    programs: ['usr/bin/bwrap'],
    libraryPackages: ['libc6', 'libcap2', 'libselinux1', 'libpcre2-8-0'],
  },
  // The program of the package behaves as pasta by that name, which is a link there.
  passt: {
    tool: 'passt',
    packageName: 'passt',
    programs: ['usr/bin/passt'],
    names: {'usr/bin/passt': 'pasta'},
    libraryPackages: ['libc6'],
  },
  perl: {
    tool: 'perl',
    packageName: 'perl-base',
    programs: ['usr/bin/perl'],
    libraryPackages: ['libc6', 'libcrypt1'],
    modules: {place: /^usr\/lib\/[^/]+\/perl-base\/(?<name>.+)$/, folder: 'perl-base', option: '-I'},
    trial: ['-e', 'use strict; use warnings; use POSIX (); use Socket (); use Fcntl ()'],
  },
  proot: {
    tool: 'proot',
    packageName: 'proot',
    programs: ['usr/bin/proot'],
    libraryPackages: ['libc6', 'libtalloc2'],
  },
  qemu: QEMU,
} as const satisfies Readonly<Record<string, ToolSource>>

export type FetchableTool = keyof typeof FETCHABLE

export const FETCHABLE_NAMES = [
  'bubblewrap',
  'passt',
  'perl',
  'proot',
  'qemu',
] as const satisfies readonly FetchableTool[]

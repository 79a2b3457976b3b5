import {readdirSync} from 'node:fs'
import {mkdir, mkdtemp, readdir, rm} from 'node:fs/promises'
import {basename, join} from 'node:path'
import type {ArchiveContext} from '../archive/context.js'
import {downloadPackages, type PackageDownloads} from '../archive/download-packages.js'
import type {PlannedPackage} from '../archive/plan.js'
import {planPackages} from '../archive/plan-packages.js'
import {publish, syncFilesIn} from '../host/atomic-file.js'
import {takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {toolsFolder} from '../host/tools-folder.js'
import {readCatalogue, resolveRelease} from '../images/catalog/catalogue.js'
import {extractFolder} from '../rootfs/debs/extract-folder.js'
import {extractLibraries} from '../rootfs/debs/extract-libraries.js'
import {extractPrograms} from '../rootfs/debs/extract-programs.js'
import {UnknownSignerError} from '../signature/errors.js'
import {toolSignerError, toolsBusyError} from './emulation-errors.js'
import {type LoadedTool, layStarters, libraryFolders} from './loaded-programs.js'
import type {FetchedToolResult} from './results.js'

/** Programs of a package of Debian's. */
export type ToolWish = {
  /** What its folder is called. */
  readonly tool: string
  readonly packageName: string
  /** As the package calls them: `usr/bin/qemu-arm`. */
  readonly programs: readonly string[]
  /** Packages whose libraries the programs load, libc6 among them; undefined where they need nothing beside themselves. */
  readonly libraryPackages?: readonly string[]
} & Partial<Pick<LoadedTool, 'modules' | 'trial'>>

export type FetchedTool = FetchedToolResult

const LOCK_WAIT_MS = 300_000

/**
 * Fetches programs for this host from Debian's stable release, verified as all of its packages are, into the user's own
 * data folder. Older ones of the same tool go.
 *
 * The setting `keyrings` does not count: a key for a mirror signs what runs in environments, not on the host.
 *
 * @param options.isPortable - As `layStarters` has it.
 * @throws {@link toolSignerError} @throws As `planPackages`, `downloadPackages` and `extractPrograms`; {ToolsBusyError} @throws {NodeJS.ErrnoException}
 */
export async function fetchTool(
  host: Pick<Host, 'paths' | 'architecture' | 'which'>,
  wish: ToolWish,
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
    if (!wasKept) await bring(host, {...wish, wanted, libraries, folder, destination, isPortable}, context)
    for (const entry of entries) {
      if (entry !== wanted.version) await rm(join(folder, entry), {recursive: true, force: true})
    }
    return {version: wanted.version, folder: destination, wasKept}
  } finally {
    lock.release()
  }
}

/** @returns The tool's own first. */
async function findPackages(
  {architecture}: Pick<Host, 'architecture'>,
  {packageName, libraryPackages = []}: ToolWish,
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

type Bringing = ToolWish & {
  readonly wanted: PlannedPackage
  readonly libraries: readonly PlannedPackage[]
  readonly folder: string
  readonly destination: string
  readonly isPortable: boolean
}

async function bring(host: Pick<Host, 'which'>, wish: Bringing, context: ArchiveContext): Promise<void> {
  const {wanted, libraries, folder, destination} = wish
  const partial = await mkdtemp(join(folder, '.partial.'))
  const downloads = await downloadPackages({packages: [wanted, ...libraries]}, context)
  try {
    const into = join(partial, 'programs')
    await unpack(host, downloads, {...wish, into}, context)
    for (const each of foldersBelow(into)) await syncFilesIn(each)
    await publish(into, destination)
  } finally {
    await downloads.close()
    await rm(partial, {recursive: true, force: true})
  }
}

async function unpack(
  {which}: Pick<Host, 'which'>,
  downloads: PackageDownloads,
  {wanted, libraries, into, ...tool}: Bringing & {readonly into: string},
  {signal}: ArchiveContext,
): Promise<void> {
  const {libc, others} = libraryFolders(into)
  const isLoading = libraries.length > 0
  await mkdir(into, {mode: 0o700})
  if (isLoading) for (const path of [libc, others]) await mkdir(path, {mode: 0o700})
  const paths = new Map(
    tool.programs.map((program) => [program, join(isLoading ? others : into, basename(program))]),
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
  if (isLoading) await layStarters(tool, into, tool)
}

function foldersBelow(folder: string): string[] {
  const entries = readdirSync(folder, {recursive: true, withFileTypes: true})
  const below = entries.filter((entry) => entry.isDirectory())
  return [folder, ...below.map(({parentPath, name}) => join(parentPath, name))]
}

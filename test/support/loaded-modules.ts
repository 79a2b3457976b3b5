import {mkdir, readdir, readFile, stat} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {SandboxedCli} from './cli.js'
import {temporaryFolder} from './temporary-folder.js'

type Loaded = {
  /** Of the build's files, those that were read. */
  readonly files: readonly string[]
  /** Of the packages that are bundled into them, those of which a module was run. */
  readonly libraries: readonly string[]
  /** Of these files; and of the modules in them that were run. */
  readonly bytes: {readonly read: number; readonly run: number}
}

type CountedFunction = {
  readonly functionName: string
  readonly ranges: readonly {
    readonly count: number
    readonly startOffset: number
    readonly endOffset: number
  }[]
}

type Coverage = {
  readonly result: readonly {readonly url: string; readonly functions: readonly CountedFunction[]}[]
}

/**
 * What of envs a command line makes Node read and run: the bundler gives the function that runs a module the path of its
 * source, and V8 tells which functions were called.
 *
 * @throws {Error} When the command fails.
 */
export async function loadedBy(
  t: Parameters<typeof temporaryFolder>[0],
  cli: SandboxedCli,
  ...argv: string[]
): Promise<Loaded> {
  const coverage = join(await temporaryFolder(t), 'coverage')
  await mkdir(coverage)
  const env = {NODE_DISABLE_COMPILE_CACHE: '1', NODE_V8_COVERAGE: coverage}
  const {status, stderr} = await cli.runWith({env}, ...argv)
  if (status !== 0) throw new Error(`envs ${argv.join(' ')} ended with ${status}: ${stderr}`)
  const scripts = await scriptsOf(coverage)
  const modules = scripts.flatMap(({functions}) => functions.filter(isModuleThatRan))
  const sizes = await Promise.all(scripts.map(async ({url}) => (await stat(pathOf(url))).size))
  return {
    files: scripts.map(({url}) => basename(url)).sort(),
    libraries: [...new Set(modules.flatMap(({functionName}) => packageOf(functionName)))].sort(),
    bytes: {read: sum(sizes), run: sum(modules.map(bodySize))},
  }
}

/** Some are compiled from a text that is named by its path, some loaded by an address. */
function pathOf(url: string): string {
  return url.startsWith('file:') ? fileURLToPath(url) : url
}

function isModuleThatRan({functionName, ranges}: CountedFunction): boolean {
  return /\.(?:[cm]?js|ts)$/.test(functionName) && (ranges[0]?.count ?? 0) > 0
}

function bodySize({ranges: [whole]}: CountedFunction): number {
  return whole === undefined ? 0 : whole.endOffset - whole.startOffset
}

function packageOf(path: string): string[] {
  const [, name] = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? []
  return name === undefined ? [] : [name]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

async function scriptsOf(folder: string): Promise<Coverage['result'][number][]> {
  const reports = await Promise.all(
    (await readdir(folder)).map(
      async (name): Promise<Coverage> => JSON.parse(await readFile(join(folder, name), 'utf8')),
    ),
  )
  return reports.flatMap(({result}) => result).filter(({url}) => url.includes('/dist/'))
}

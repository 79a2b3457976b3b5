import {mkdir, readdir, readFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {SandboxedCli} from './cli.js'
import {temporaryFolder} from './temporary-folder.js'

const NOTE_BUILTINS = fileURLToPath(new URL('programs/note-builtins.cjs', import.meta.url))

export type Loaded = {
  /** Of the program's files, those that were run. */
  readonly files: readonly string[]
  /** Of Node's modules, those that something was asked of. */
  readonly builtins: readonly string[]
  /** Of our sources, those that were run. */
  readonly modules: readonly string[]
}

type Coverage = {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly functionName: string
      readonly ranges: readonly {readonly count: number}[]
    }[]
  }[]
}

/**
 * What of envs a command line runs: the bundler gives the function that runs a module the path of its source, and V8
 * tells which functions were called.
 */
export async function loadedBy(
  t: Parameters<typeof temporaryFolder>[0],
  cli: SandboxedCli,
  ...argv: string[]
): Promise<Loaded> {
  const folder = await temporaryFolder(t)
  const [coverage, builtins] = [join(folder, 'coverage'), join(folder, 'builtins')]
  await mkdir(coverage)
  const env = {
    ENVS_TEST_BUILTINS: builtins,
    NODE_DISABLE_COMPILE_CACHE: '1',
    NODE_OPTIONS: `--require ${NOTE_BUILTINS}`,
    NODE_V8_COVERAGE: coverage,
  }
  const {status, stderr} = await cli.runWith({env}, ...argv)
  if (status !== 0) throw new Error(`envs ${argv.join(' ')} ended with ${status}: ${stderr}`)
  const scripts = await scriptsOf(coverage)
  return {
    files: scripts.map(({url}) => basename(url)).sort(),
    builtins: (await readFile(builtins, 'utf8')).split('\n').filter(Boolean).sort(),
    modules: scripts
      .flatMap(({functions}) => functions.filter(({ranges}) => (ranges[0]?.count ?? 0) > 0))
      .map(({functionName}) => functionName)
      .filter((name) => /^(?:src|commands)\/.*\.ts$/.test(name))
      .sort(),
  }
}

async function scriptsOf(folder: string): Promise<Coverage['result'][number][]> {
  const reports = await Promise.all(
    (await readdir(folder)).map(
      async (name): Promise<Coverage> => JSON.parse(await readFile(join(folder, name), 'utf8')),
    ),
  )
  return reports.flatMap(({result}) => result).filter(({url}) => url.includes('/dist/'))
}

import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {chmod, mkdir, mkdtemp, rm, symlink} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** What `envs` in a user's PATH is: it goes without Node where it can. */
export const FRONT_DOOR = fileURLToPath(new URL('../../bin/envs', import.meta.url))

/** What that one starts with Node, for all that it does not do itself. */
export const NODE_PROGRAM = fileURLToPath(new URL('../../bin/envs.js', import.meta.url))

const PROGRAM: readonly [string, ...string[]] = [FRONT_DOOR]

const BUILT = fileURLToPath(new URL('../../dist/main.cjs', import.meta.url))

/** Longer than any command of a test takes, shorter than the runner's patience. */
const TIMEOUT_MS = 120_000

/** ENVS_TEST_ENGINE=unshare npm test -- e2e runs all with that engine. */
const ENGINE: Readonly<Record<string, string>> =
  process.env['ENVS_TEST_ENGINE'] === undefined ? {} : {ENVS_ENGINE: process.env['ENVS_TEST_ENGINE']}

/** Has removed environments kept for a while, as they are unless a setting says otherwise. */
export const WITH_TRASH = {ENVS_TRASH_TIME: ''} as const

export type Ran = {
  /** Null when a signal ended it. */
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export type RunOptions = {readonly input?: string | Buffer; readonly env?: Readonly<Record<string, string>>}

export type SandboxedCli = {
  /** A folder that nobody else can enter and that goes with the test. */
  readonly home: string
  /** Where environments and images are kept. */
  readonly data: string
  readonly configFile: string
  /** The words that are `envs`: its program, and what it was put behind. */
  readonly words: readonly [string, ...string[]]
  /** What the command sees, whole: nothing of the developer's variables. */
  readonly env: Readonly<Record<string, string>>
  run(...argv: string[]): Promise<Ran>
  runWith(options: RunOptions, ...argv: string[]): Promise<Ran>
}

type CliOptions = {readonly words?: readonly [string, ...string[]]; readonly ownCode?: boolean}

/** A test, or whatever else says when it is over. */
export type Scope = {after(tidyUp: () => Promise<void>): void}

/**
 * The built CLI under a home of its own, so that no test sees or touches the developer's environments.
 *
 * @param behind - Words of another program that it is run by, such as nsenter and its options.
 * @param variables - Beside its own.
 * @param options.words - Start another program in its place.
 * @param options.ownCode - Has it compile its code anew: what one test's commands have compiled, others find compiled.
 */
export async function sandboxedCli(
  t: Scope,
  behind: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
  {words: own = PROGRAM, ownCode = false}: CliOptions = {},
): Promise<SandboxedCli> {
  if (!existsSync(BUILT)) throw new Error('dist/ is missing: run npm run build first')
  const home = await mkdtemp(join(tmpdir(), 'envs-cli-'))
  await chmod(home, 0o700)
  t.after(() => rm(home, {force: true, recursive: true, maxRetries: 3}))
  const env = {
    HOME: home,
    NO_COLOR: '1',
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_RUNTIME_DIR: join(home, 'run'),
    // Most tests look at a store in which nothing removed is left; WITH_TRASH is for the others.
    ENVS_TRASH_TIME: '0d',
    ...ENGINE,
    ...variables,
  }
  await mkdir(env.XDG_RUNTIME_DIR, {mode: 0o700})
  if (!ownCode) await shareCode(join(home, 'cache', 'envs'))
  const [program = own[0], ...rest] = [...behind, ...own]
  const words = [program, ...rest] as const
  const runWith = (options: RunOptions, ...argv: string[]) =>
    runCli([...words, ...argv], {env, home, options})
  return {
    home,
    data: join(home, 'data', 'envs'),
    configFile: join(home, 'config', 'envs', 'config.json'),
    words,
    env,
    run: (...argv) => runWith({}, ...argv),
    runWith,
  }
}

/**
 * Lets commands keep the code that V8 compiles in one folder for the whole run of the tests: every home is a new one, and a
 * command in a new home would compile, keep and sync its code again.
 */
async function shareCode(cache: string): Promise<void> {
  const seed = process.env['ENVS_TEST_SEED']
  if (seed === undefined) return
  await mkdir(join(seed, 'code'), {recursive: true, mode: 0o700})
  await mkdir(cache, {recursive: true, mode: 0o700})
  await symlink(join(seed, 'code'), join(cache, 'code'))
}

/** Runs a program as {@link SandboxedCli.runWith} does. */
export function runCli(
  [program = '', ...argv]: readonly string[],
  {env, home, options}: {env: Readonly<Record<string, string>>; home: string; options: RunOptions},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      cwd: home,
      env: {...env, ...options.env},
      timeout: TIMEOUT_MS,
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    // A command that reads no input closes the pipe: its status tells, not EPIPE.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)
    child.once('error', reject)
    child.once('close', (status, signal) =>
      resolve({
        status,
        signal,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    )
  })
}

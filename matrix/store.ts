import {closeSync, existsSync, openSync} from 'node:fs'
import {chmod, mkdir, mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {packageRoot} from '../src/host/paths.js'
import {ended, start} from '../src/host/process.js'

/** The status of a command, and the output of it and of the guest's programs. */
export type Ran = {readonly status: number; readonly output: string}

export type Limits = {readonly signal?: AbortSignal; readonly timeoutMs?: number}

/** The built envs, with separate environments, images, packages and settings. */
export type Store = {
  /**
   * Runs one command to its end. A command that takes too long is killed, and its status is not 0.
   *
   * @throws The signal's reason, if it was aborted meanwhile and the command has ended.
   */
  run(argv: readonly string[], limits?: Limits): Promise<Ran>
  /** Removes every environment, then the rest. */
  close(): Promise<void>
}

/**
 * @param kept - A folder that is left as it is when the store is closed, for a later run; without it a new one is made and removed.
 * @throws {Error} Before a build.
 */
export async function openStore(kept?: string): Promise<Store> {
  if (!existsSync(join(packageRoot(), 'dist', 'main.cjs'))) throw new Error('Run npm run build first.')
  const folder = kept === undefined ? await mkdtemp(join(tmpdir(), 'envs-matrix-')) : resolve(kept)
  await mkdir(join(folder, 'logs'), {recursive: true})
  await chmod(folder, 0o700)
  const environment = {
    ENVS_HOME: join(folder, 'home'),
    HOME: folder,
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    XDG_RUNTIME_DIR: folder,
  }
  let calls = 0
  const run: Store['run'] = (argv, limits = {}) => {
    calls += 1
    return runLogged(argv, {folder, environment, log: join(folder, 'logs', String(calls)), limits})
  }
  return {
    run,
    async close() {
      if (kept !== undefined) return
      const {output} = await run(['list', '--quiet'])
      const names = output.split('\n').filter((name) => name !== '')
      if (names.length > 0) await run(['rm', '--force', '--now', ...names])
      // Layers may belong to ids for which only envs can act.
      await run(['prune', '--yes', '--older-than', '0'])
      await rm(folder, {recursive: true, force: true})
    },
  }
}

type Call = {
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly log: string
  readonly limits: Limits
}

async function runLogged(
  argv: readonly string[],
  {folder, environment, log, limits: {signal, timeoutMs}}: Call,
): Promise<Ran> {
  // A file, not a pipe: a daemon of the guest may keep a pipe open for ever.
  const output = openSync(log, 'w')
  try {
    const child = start([process.execPath, join(packageRoot(), 'bin', 'envs.js'), ...argv], {
      cwd: folder,
      env: environment,
      // Not in the terminal's process group: the signal below is sent once, so that the command can clean up.
      detached: true,
      stdio: ['ignore', output, output],
    })
    const endByRequest = () => child.kill('SIGTERM')
    signal?.addEventListener('abort', endByRequest)
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    const {status} = await ended(child).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', endByRequest)
    })
    signal?.throwIfAborted()
    return {status, output: await readFile(log, 'utf8')}
  } finally {
    closeSync(output)
  }
}

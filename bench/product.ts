import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {packageRoot} from '../src/host/paths.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError} from './invocation.js'

/** The built envs, with a store of its own. */
export type Product = {
  /** One invocation, to be timed. */
  call(...argv: string[]): Invocation
  /** The same through `bin/envs`, as users start it. */
  front(...argv: string[]): Invocation
  /** Runs one command, untimed. @returns Standard output. @throws {InvocationFailedError} */
  run(...argv: string[]): Promise<string>
  /** Stops and removes every environment of the store: only envs can remove files of other ids. */
  clear(): Promise<void>
}

/** The command line of the worker for a request, as create has it; see src/rootfs/worker/client.ts. */
export function workerArguments(verb: string, request: object): string[] {
  const program = join(packageRoot(), 'dist', 'rootfs-worker.cjs')
  const build = /^\/\/ (?<id>\w+)\n/.exec(readFileSync(program, 'utf8'))?.groups?.['id'] ?? ''
  return [process.execPath, program, verb, JSON.stringify(request), build]
}

/**
 * @param home - Becomes ENVS_HOME; made when missing.
 * @param checkout - Folder of a built version.
 * @throws {Error} Before a build.
 */
export function openProduct(bench: Bench, home: string, checkout = packageRoot()): Product {
  if (!existsSync(join(checkout, 'dist', 'main.cjs')))
    throw new Error(`Run npm run build first, in ${checkout}.`)
  const cli = join(checkout, 'bin', 'envs.js')
  const run = async (...argv: string[]) => {
    const env = {...bench.environment, ENVS_HOME: home}
    const typed = [process.execPath, cli, ...argv]
    const {status, stdout, stderr} = await capture(typed, {cwd: bench.folder, env, ...bench.user})
    if (status !== 0) throw new InvocationFailedError(['envs', ...argv], status, stderr.trim())
    return stdout
  }
  return {
    front: (...argv) => ({
      argv: [join(checkout, 'bin', 'envs'), ...argv],
      variables: {ENVS_HOME: home},
    }),
    call: (...argv) => ({argv: [process.execPath, cli, ...argv], variables: {ENVS_HOME: home}}),
    run,
    async clear() {
      const names = (await run('list', '--quiet')).split('\n').filter((name) => name !== '')
      if (names.length > 0) await run('rm', '--force', '--now', ...names)
      // Layers may belong to ids for which only envs can act.
      await run('prune', '--yes', '--older-than', '0')
    },
  }
}

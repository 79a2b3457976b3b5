import type {SandboxedCli} from './cli.js'
import {startGroup} from './process-group.js'

const PRELOAD = new URL('./programs/fail-sync.mjs', import.meta.url).href

/**
 * Runs a command to its end, to which the disk says that it could not write a folder.
 *
 * @param folder - The last part of its path.
 */
export function runWithFailingSync(
  cli: Pick<SandboxedCli, 'home' | 'env'>,
  folder: string,
  argv: readonly string[],
): Promise<{status: number | null; stderr: string}> {
  const preload = {NODE_DISABLE_COMPILE_CACHE: '1', NODE_OPTIONS: `--import=${PRELOAD}`}
  return startGroup(cli, argv, {...preload, ENVS_FAILING_SYNC: folder}).ended
}

import {join} from 'node:path'
import type {Ran, SandboxedCli} from './cli.js'

const PRELOAD = new URL('./programs/use-up-quota.mjs', import.meta.url).href

/** Runs a command of a user whose quota is used up, as long as a file of the store is there. @param file - Its name. */
export function runWithUsedUpQuota(
  {data, runWith}: Pick<SandboxedCli, 'data' | 'runWith'>,
  file: string,
  ...argv: readonly string[]
): Promise<Ran> {
  const env = {
    NODE_DISABLE_COMPILE_CACHE: '1',
    NODE_OPTIONS: `--import=${PRELOAD}`,
    ENVS_TEST_QUOTA_USED: join(data, file),
  }
  return runWith({env}, ...argv)
}

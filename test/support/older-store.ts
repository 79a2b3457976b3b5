import {cp, mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {fileURLToPath} from 'node:url'
import {capture} from '../../src/host/process.js'
import {type EnvironmentCli, environmentCli} from './environment-cli.js'
import {runnableRootfs} from './runnable-rootfs.js'
import {temporaryFolder} from './temporary-folder.js'

const STORE_1 = fileURLToPath(new URL('../fixtures/store-1', import.meta.url))

const LAYERS = ['eb81e11ee1b9b66b306401423eca5a6f', 'e7b31499f6c79a85a85d23bce7e3800c'] as const
const UPPER = 'ea3030030057eb09df177597217ad19b'

/** Folders that envs made and git does not keep: they are empty. */
const EMPTY = [
  ...['proc', 'dev', 'sys', 'run/envs'].map((name) => `layers/${LAYERS[0]}/tree/${name}`),
  ...[`layers/${LAYERS[1]}/work`, `layers/${UPPER}/tree`, `layers/${UPPER}/work`],
  ...['layered/run', 'plain/run', 'plain/rootfs/run/envs'].map((name) => `environments/${name}`),
]

/**
 * A store whose records are, byte for byte, those that envs 0.1.0 wrote when `env.json` was of version 1: the environments
 * `layered`, with a snapshot `first`, and `plain`, a whole tree. Both are emulated, and can be entered.
 */
export async function storeOfVersion1(t: TestContext): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  await mkdir(cli.data, {recursive: true, mode: 0o700})
  await cp(STORE_1, cli.data, {recursive: true})
  for (const folder of EMPTY) await mkdir(join(cli.data, folder), {recursive: true})
  const archive = await runnableRootfs(await temporaryFolder(t))
  for (const tree of [`layers/${LAYERS[0]}/tree`, 'environments/plain/rootfs'])
    await capture(['tar', '-xzf', archive, '-C', join(cli.data, tree), '--no-same-owner'])
  return cli
}

import {existsSync} from 'node:fs'
import {mkdir, readdir, rename} from 'node:fs/promises'
import {join} from 'node:path'
import {takeLock} from '../../src/host/locks.js'
import {capture} from '../../src/host/process.js'
import type {Identity} from '../../src/sandbox/identity.js'
import type {SandboxedCli} from './cli.js'
import {debianRootfs} from './debian-rootfs.js'
import {whyNotMapped} from './environment-cli.js'

/** The identity that an environment gets here when none is asked for. */
const USUAL: Identity = (await whyNotMapped()) === undefined ? 'mapped' : 'emulated'

/** {@link debianRootfs}, of which the store has the layer already. */
export async function seededRootfs(cli: SandboxedCli, identity: Identity = USUAL): Promise<string> {
  await seedImage(cli, identity)
  return debianRootfs()
}

/**
 * Puts the layer of the day's Debian into a store, as if an environment had been made of it before: links to the files of
 * one that is unpacked once a run. Nothing ever writes into the layer of an image, and removing it removes links.
 *
 * The runner says in ENVS_TEST_SEED where that one is kept; without, the first environment unpacks its own.
 */
export async function seedImage(cli: SandboxedCli, identity: Identity): Promise<void> {
  const folder = process.env['ENVS_TEST_SEED']
  if (folder === undefined) return
  const layers = await seedOf(cli, join(folder, identity), identity)
  const [layer = ''] = await readdir(layers)
  if (existsSync(join(cli.data, 'layers', layer))) return
  await mkdir(cli.data, {recursive: true, mode: 0o700})
  await must([...asOwner(identity), 'cp', '-al', '--', layers, cli.data])
}

/** Its folder `layers`, with one layer in it. */
async function seedOf(cli: SandboxedCli, folder: string, identity: Identity): Promise<string> {
  const made = join(folder, 'layers')
  if (existsSync(made)) return made
  await mkdir(folder, {recursive: true, mode: 0o700})
  const lock = await takeLock(join(folder, 'lock'), {mode: 'exclusive', waitMs: 120_000})
  if (lock === undefined) throw new Error(`${folder}/lock is held for two minutes`)
  try {
    if (!existsSync(made)) await makeSeed(cli, folder, identity)
    return made
  } finally {
    lock.release()
  }
}

async function makeSeed({words, env}: SandboxedCli, folder: string, identity: Identity): Promise<void> {
  const own = Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((kind) => [`XDG_${kind}_HOME`, folder]))
  const envs = (...argv: string[]) => must([...words, ...argv], {...env, ...own})
  await envs('create', await debianRootfs(), '--name', 'seed', '--identity', identity, '--quiet')
  await envs('rm', '--force', 'seed')
  const layers = join(folder, 'envs/layers')
  const [layer, ...others] = (await readdir(layers)).filter((name) =>
    existsSync(join(layers, name, 'layer.json')),
  )
  if (layer === undefined || others.length > 0) throw new Error(`${layers} has not the layer of one image`)
  await mkdir(join(folder, 'only'), {mode: 0o700})
  await rename(join(layers, layer), join(folder, 'only', layer))
  await rename(join(folder, 'only'), join(folder, 'layers'))
}

function asOwner(identity: Identity): string[] {
  return identity === 'mapped' ? ['unshare', '--map-auto', '--map-root-user', '--'] : []
}

async function must(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const {status, stderr} = await capture(argv, {env: {...process.env, ...env}, timeout: 120_000})
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${stderr}`)
}

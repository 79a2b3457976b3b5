import {existsSync} from 'node:fs'
import {mkdir, mkdtemp, rename, rm, symlink} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {takeLock} from '../../src/host/locks.js'
import {capture} from '../../src/host/process.js'

const CACHE = process.env['ENVS_TEST_CACHE'] ?? join(tmpdir(), `envs-test-cache-${process.getuid?.() ?? 0}`)

/** A Node.js, and the npm that came with it or with one like it. */
export type NodeRelease = {readonly node: string; readonly npm: string}

/**
 * A Node.js of the package registry that npm is set up for, fetched once for all tests.
 *
 * @returns The folder to put into PATH, with `node` and `npm` in it.
 */
export async function nodeRelease({node, npm}: NodeRelease): Promise<string> {
  const folder = join(CACHE, `node-${node}-npm-${npm}`)
  await mkdir(CACHE, {recursive: true, mode: 0o700})
  const lock = await takeLock(`${folder}.lock`, {mode: 'exclusive', waitMs: 300_000})
  if (lock === undefined) throw new Error(`${folder}.lock is held for five minutes`)
  try {
    if (!existsSync(folder)) await makeRelease(folder, {node, npm})
    return join(folder, 'bin')
  } finally {
    lock.release()
  }
}

async function makeRelease(folder: string, {node, npm}: NodeRelease): Promise<void> {
  const stage = await mkdtemp(join(CACHE, '.node-'))
  try {
    await unpack(`node-linux-${process.arch}@${node}`, join(stage, 'tree'), ['package/bin/node'])
    await unpack(`npm@${npm}`, join(stage, 'tree/lib/node_modules/npm'))
    await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(stage, 'tree/bin/npm'))
    await rename(join(stage, 'tree'), folder)
  } finally {
    await rm(stage, {recursive: true, force: true})
  }
}

/** npm checks the digest of what it fetches. */
async function unpack(name: string, folder: string, members: readonly string[] = []): Promise<void> {
  await mkdir(folder, {recursive: true})
  const packed = await capture(['npm', 'pack', name, '--json', '--ignore-scripts'], {cwd: folder})
  if (packed.status !== 0) throw new Error(packed.stderr)
  const [{filename}]: [{filename: string}] = JSON.parse(packed.stdout)
  const extract = ['tar', '--extract', '--no-same-owner', '--strip-components=1', '--file', filename]
  const {status, stderr} = await capture([...extract, ...members], {cwd: folder})
  if (status !== 0) throw new Error(stderr)
  await rm(join(folder, filename))
}

import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {release} from 'node:os'
import {join} from 'node:path'
import * as v from 'valibot'
import {bytesOf} from '../config/kinds.js'
import {removeLayerFolder} from '../environments/layer-folders.js'
import {toolPath, treeProcess} from '../environments/toolbox.js'
import {isFailure} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {fileFacts, openMemory, probeOnce} from '../host/remembered.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {endMemory, enterMemory, holdMemory} from '../sandbox/memory.js'
import {overlayTrial} from '../sandbox/overlay-trial.js'
import {filesIn} from '../storage/layer-files.js'

/** Of the memory that is free: what else runs must not feel it. */
const SHARE = 1 / 4
/** Less would be full after a package or two. */
const LEAST_BYTES = 512 * 1024 ** 2

const TIMEOUT_MS = 10_000

/**
 * How much memory the files of a new throwaway environment may take.
 *
 * @param setting - The most, as the user said it; undefined for a share of what is free.
 * @param freeBytes - What the machine, or the control group this runs in, has free.
 * @returns undefined where they are better kept on the disk.
 */
export async function memoryFor(
  host: Host,
  identity: Identity,
  {setting, freeBytes}: {setting: string | undefined; freeBytes: number},
): Promise<number | undefined> {
  const bytes = memoryShare(setting, freeBytes)
  return bytes !== undefined && (await canHoldLayers(host, identity)) ? bytes : undefined
}

/** @returns undefined for what is too little to be of use. */
export function memoryShare(setting: string | undefined, freeBytes: number): number | undefined {
  if (setting === undefined) {
    const share = Math.floor(freeBytes * SHARE)
    return share < LEAST_BYTES ? undefined : share
  }
  const bytes = Math.min(bytesOf(setting), freeBytes)
  return bytes < MOUNTABLE_BYTES ? undefined : bytes
}

/** overlayfs and the first files of an environment find room in it. */
const MOUNTABLE_BYTES = 1_000_000

/** What a trial came to is kept until the kernel, bwrap or the identity is another. */
async function canHoldLayers(host: Host, identity: Identity): Promise<boolean> {
  const bwrap = host.which('bwrap')
  if (bwrap === undefined) return false
  const memory = openMemory(join(host.paths.cache, `memory-${identity}.json`), {
    schema: v.boolean(),
  })
  return probeOnce(memory, `${release()} ${fileFacts(bwrap)}`, () => tryOut(host, identity))
}

/** With all that it takes later: a file system in memory, attributes on it, and a second program that finds it. */
async function tryOut(host: Host, identity: Identity): Promise<boolean> {
  const folder = await mkdtemp(join(host.paths.layers, `.trial.${identity}.`))
  const [lower, upper, merged] = ['lower', 'upper', 'merged'].map((name) => join(folder, name))
  if (lower === undefined || upper === undefined || merged === undefined) return false
  try {
    for (const each of [lower, upper, merged, join(lower, 'inner')]) await mkdir(each)
    for (const file of ['kept', 'gone', 'inner/file']) await writeFile(join(lower, file), 'x')
    const holder = await holdMemory({
      ...(await memoryTools(host, identity)),
      at: upper,
      mode: 0o755,
      bytes: MOUNTABLE_BYTES,
      keptForMs: 0,
    })
    if (holder === undefined) return false
    const {tree, work} = filesIn(upper)
    const argv = overlayTrial({
      bwrap: toolPath(host, 'bwrap'),
      // The namespace is there already, whatever the identity.
      identity: 'mapped',
      prefix: enterMemory(holder, toolPath(host, 'nsenter')),
      folders: {lower, upper: tree, work, merged},
    })
    const {status} = await capture(argv, {timeout: TIMEOUT_MS})
    await endMemory(holder)
    return status === 0
  } catch (error) {
    // A tool that is missing, or can't be started.
    if (!isFailure(error)) throw error
    return false
  } finally {
    await removeLayerFolder(host, {identity, folder}).catch(() => rm(folder, {recursive: true, force: true}))
  }
}

/** What {@link holdMemory} needs of the host. */
export async function memoryTools(host: Host, identity: Identity) {
  const {environment} = await treeProcess(host, identity)
  return {
    prefix: await namespacePrefix(identity, host),
    unshare: toolPath(host, 'unshare'),
    mount: toolPath(host, 'mount'),
    environment,
  }
}

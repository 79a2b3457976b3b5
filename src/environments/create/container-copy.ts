import {randomBytes} from 'node:crypto'
import {mkdir} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {copyTree} from '../../rootfs/copy.js'
import {removeLayerFolder} from '../../store/gc.js'
import {holdLayers} from '../../store/locks.js'
import {toolPath, treeProcess} from '../../store/tools.js'
import {unpackContainer} from './container-layers.js'
import type {Unpacked} from './unpack.js'

type CopyOptions = Parameters<typeof unpackContainer>[2]

/**
 * Writes the tree of an image of containers into `root`, a new folder, with files of its own: for storage where the guest writes
 * into them.
 *
 * @throws As {@link unpackContainer} and `copyTree`.
 */
export async function copyContainer(
  host: Host,
  image: Parameters<typeof unpackContainer>[1],
  {root, ...options}: CopyOptions,
): Promise<Unpacked> {
  const {identity, signal} = options
  const {layers} = host.paths
  const lock = await holdLayers(host.paths)
  const folder = join(layers, `.partial.${identity}.${randomBytes(4).toString('hex')}`)
  try {
    await makeFolders(layers, {mode: 0o700})
    await mkdir(folder, {mode: 0o700})
    const merged = join(folder, 'tree')
    await mkdir(merged, {mode: 0o700})
    // The ledger is beside the new tree.
    await makeFolders(dirname(root), {mode: 0o700})
    const unpacked = await unpackContainer(host, image, {...options, root: merged})
    const copy = {cp: toolPath(host, 'cp'), from: merged, to: root, keepOwners: identity === 'mapped'}
    await copyTree(await treeProcess(host, identity), copy, {signal})
    return unpacked
  } finally {
    await removeLayerFolder(host, {identity, folder})
    lock.release()
  }
}

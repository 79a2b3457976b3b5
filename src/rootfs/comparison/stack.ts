import type {Stats} from 'node:fs'
import type {LayerMarks} from './layer-marks.js'

/** A folder on disk that is part of trees, with what its attributes say. */
export type Layer = {readonly folder: string; readonly marks: LayerMarks}

/** Layers of one tree as indexes among all of them, the uppermost first: links and folders are looked for in that order. */
export type Order = readonly number[]

/** What a tree has at a path. */
export type Found = {
  readonly status: Stats
  /** The layer that has it. */
  readonly layer: number
  /** Of a folder: the layers whose entries show in it. */
  readonly parts: Order
}

/**
 * What a tree has at a path that its layers have something at, by the rules of overlayfs: the uppermost entry counts, a
 * whiteout hides all below it, and so does an opaque folder; folders on top of each other are one.
 *
 * @param statuses - By layer.
 * @see the kernel's Documentation/filesystems/overlayfs.rst
 */
export function findInStack(
  path: string,
  order: Order,
  {layers, statuses}: {layers: readonly Layer[]; statuses: ReadonlyMap<number, Stats>},
): Found | undefined {
  const parts: number[] = []
  let top: {status: Stats; layer: number} | undefined
  for (const layer of order) {
    const status = statuses.get(layer)
    if (status === undefined) continue
    if (isWhiteout(status)) break
    if (!status.isDirectory()) {
      if (top === undefined) return {status, layer, parts: []}
      break
    }
    top ??= {status, layer}
    parts.push(layer)
    if (layers[layer]?.marks.opaque.has(path)) break
  }
  return top === undefined ? undefined : {...top, parts}
}

/** A character device 0:0; nobody can make one inside a guest. */
function isWhiteout(status: Stats): boolean {
  return status.isCharacterDevice() && status.rdev === 0
}

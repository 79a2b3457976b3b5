import type {Stats} from 'node:fs'
import type {LayerMarks} from './layer-marks.js'

/** A folder on disk that is a layer of trees, with its attributes. */
export type Layer = {readonly folder: string; readonly marks: LayerMarks}

/** Layers of one tree as indexes, the uppermost first: the order of lookups. */
export type Order = readonly number[]

/** An entry of a tree at a path. */
export type Found = {
  readonly status: Stats
  /** The layer that contains it. */
  readonly layer: number
  /** Of a folder: the layers whose entries are visible in it. */
  readonly parts: Order
}

/**
 * Resolves a path by the rules of overlayfs: the uppermost entry counts, whiteouts and opaque folders hide
 * all layers below, and other folders are merged.
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

/** A character device 0:0, which a guest can't make. */
function isWhiteout(status: Stats): boolean {
  return status.isCharacterDevice() && status.rdev === 0
}

import {mkdirSync, statSync} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import type {Paths} from '../../host/paths.js'
import {layerLostError, upperLostError} from '../errors.js'
import type {History} from '../history.js'
import {type LayerId, layerFiles} from '../layers.js'

type Subject = {readonly name: string; readonly paths: Pick<Paths, 'layers'>}

/** Returns the layers whose files are missing, in the order of `ids`. */
export function lostLayers(layers: string, ids: Iterable<LayerId>): LayerId[] {
  return [...new Set(ids)].filter((id) => isLayerLost(layers, id))
}

/** Returns whether the files of a layer are missing. */
export function isLayerLost(layers: string, id: LayerId): boolean {
  const {tree} = layerFiles(layers, id)
  return statSync(tree, {throwIfNoEntry: false})?.isDirectory() !== true
}

/**
 * Refuses a lost upper layer: an empty one in its place would silently drop all changes of the environment.
 *
 * @throws {@link upperLostError}
 */
export function requireUpper({name, paths}: Subject, {upper}: Pick<History, 'upper'>): void {
  if (isLayerLost(paths.layers, upper))
    throw upperLostError({name, path: layerFiles(paths.layers, upper).folder})
}

/** Refuses a stack with a lost layer. @throws {@link layerLostError} */
export function requireLayers({name, paths}: Subject, ids: readonly LayerId[]): void {
  const [lost] = lostLayers(paths.layers, ids)
  if (lost !== undefined) throw layerLostError({name, path: layerFiles(paths.layers, lost).folder})
}

/**
 * Prepares the layers of an environment for a start. Looks at the upper layer and the image's alone, because starts have to be
 * fast; a start that fails looks for the other layers.
 *
 * @throws {@link upperLostError} @throws {@link layerLostError}
 */
export function openStack(
  subject: Subject,
  {layers: [base], upper}: Pick<History, 'layers' | 'upper'>,
): void {
  requireUpper(subject, {upper})
  requireLayers(subject, [base])
  // Empty while nothing is mounted, so nothing is lost with it.
  unlessErrno(() => mkdirSync(layerFiles(subject.paths.layers, upper).work, {mode: 0o700}), 'EEXIST')
}

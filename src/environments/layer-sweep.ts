import {randomBytes} from 'node:crypto'
import {existsSync, statSync} from 'node:fs'
import {rename} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoreFailure, isErrno} from '../host/errno.js'
import {namesIn} from '../host/folders.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {layersOf} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import {layerFiles, listLayers} from '../storage/layer-files.js'
import {identityOf, type LayerId} from '../storage/layer-id.js'
import {removeLayerFolder} from './layer-folders.js'
import {tryLockLayers} from './layer-locks.js'
import {environmentFiles, listNames} from './store.js'

/** Whoever made an empty layer has named it by then. */
const MOST_UNNAMED_MS = 10 * 60 * 1000

/** A folder among the layers that is none: one being made, tried out, or removed. The identity stands in its name. */
const FORM = /^\.(?<kind>partial|trial|removed)\.(?<identity>mapped|emulated)\./

/**
 * Removes layers that no environment is made of any more, and what killed commands left among them. The layers of images
 * stay: the next environment begins with them.
 *
 * Tidying up is nobody's errand: where it can't be done, or somebody makes a layer, the command that came by goes on.
 *
 * @param given - Layers that were an environment's until now; of others only those that are old enough to be leftovers go.
 * @param images - Layers of images that are to go too.
 */
export async function sweepLayers(
  host: Host,
  given: ReadonlySet<LayerId> = NONE,
  images: ReadonlySet<LayerId> = NONE,
): Promise<void> {
  for (const {folder, identity} of await moveAside(host, given, images))
    await removeLayerFolder(host, {folder, identity}).catch(ignoreFailure)
}

const NONE: ReadonlySet<LayerId> = new Set()

/** A folder that is nobody's. */
export type LayerLeftover = {readonly folder: string; readonly identity: Identity}

/** What {@link sweepLayers} would remove now; nothing while somebody makes a layer. */
export async function findLayerLeftovers(host: Host): Promise<LayerLeftover[]> {
  const lock = await tryLockLayers(host.paths).catch(ignoreFailure)
  if (lock === undefined) return []
  try {
    const ids = await unnamedLayers(host, NONE, NONE)
    if (ids === undefined) return []
    const unnamed = ids.map((id) => ({
      folder: layerFiles(host.paths.layers, id).folder,
      identity: identityOf(id),
    }))
    return [...leftoversOf(host), ...unnamed]
  } finally {
    lock.release()
  }
}

async function moveAside(
  host: Host,
  given: ReadonlySet<LayerId>,
  images: ReadonlySet<LayerId>,
): Promise<LayerLeftover[]> {
  // A first look without the lock, which takes a program: mostly there is nothing.
  const isTidy = (await unnamedLayers(host, given, images))?.length === 0 && leftoversOf(host).length === 0
  if (isTidy) return []
  const lock = await tryLockLayers(host.paths).catch(ignoreFailure)
  if (lock === undefined) return []
  try {
    const unnamed = await unnamedLayers(host, given, images)
    if (unnamed === undefined) return []
    const aside = leftoversOf(host)
    for (const id of unnamed) {
      const identity = identityOf(id)
      const folder = join(host.paths.layers, `.removed.${identity}.${randomBytes(4).toString('hex')}`)
      if (await isMoved(layerFiles(host.paths.layers, id).folder, folder)) aside.push({folder, identity})
    }
    return aside
  } finally {
    lock.release()
  }
}

/** One that can't be moved keeps no other from it. */
async function isMoved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    ignoreFailure(error)
    return false
  }
}

async function unnamedLayers(
  host: Host,
  given: ReadonlySet<LayerId>,
  images: ReadonlySet<LayerId>,
): Promise<LayerId[] | undefined> {
  const named = await namedLayers(host.paths)
  if (named === undefined) return undefined
  const unnamed: LayerId[] = []
  for (const id of await listLayers(host.paths.layers))
    if (!named.has(id) && (images.has(id) || isLeftover(host, id, given))) unnamed.push(id)
  return unnamed
}

/** @returns undefined when one environment's can't be read: then nothing is known to be nobody's. */
async function namedLayers(paths: Paths): Promise<Set<LayerId> | undefined> {
  const named = new Set<LayerId>()
  for (const name of await listNames(paths)) {
    try {
      const history = await readHistory(environmentFiles(paths, name).history)
      for (const id of layersOf(history)) named.add(id)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) return undefined
    }
  }
  return named
}

function isLeftover({paths, now}: Host, id: LayerId, given: ReadonlySet<LayerId>): boolean {
  const {folder, record} = layerFiles(paths.layers, id)
  if (existsSync(record)) return false
  return given.has(id) || ageMs(folder, now()) > MOST_UNNAMED_MS
}

function leftoversOf({paths, now}: Host): LayerLeftover[] {
  const found: LayerLeftover[] = []
  for (const name of namesIn(paths.layers)) {
    const {kind, identity} = FORM.exec(name)?.groups ?? {}
    if (identity !== 'mapped' && identity !== 'emulated') continue
    const folder = join(paths.layers, name)
    // A trial is made without the lock, in less than a second.
    if (kind === 'trial' && ageMs(folder, now()) < MOST_UNNAMED_MS) continue
    found.push({folder, identity})
  }
  return found
}

function ageMs(folder: string, now: Date): number {
  const status = statSync(folder, {throwIfNoEntry: false})
  return status === undefined ? 0 : now.getTime() - status.mtimeMs
}

import {readlinkSync} from 'node:fs'
import {type Aspect, aspectsOf, type Entry, entryOf, haveSameContent} from './entries.js'
import {
  closeAll,
  type Found,
  findInStack,
  joinPath,
  type Layer,
  type MergedFolder,
  namesIn,
  type Order,
  openParts,
  statusesOf,
  tolerant,
} from './merged.js'

/** A path at which two trees differ. */
export type Change = {
  /** Byte string (latin1) relative to the root, with links on the way resolved. */
  readonly path: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
  /** The differences; empty if only one tree has an entry. */
  readonly aspects: readonly Aspect[]
}

/** Where the files of a change can be read, during the callback. */
export type Places = {readonly before: Buffer | undefined; readonly after: Buffer | undefined}

/** Two trees that may share layers. */
export type Stacks = {
  readonly layers: readonly Layer[]
  readonly before: Order
  readonly after: Order
}

type Options = {
  /** Whether owners are comparable. */
  readonly ownersCount: boolean
  readonly onChange: (change: Change, places: Places) => void
  /** Called once for each folder or file that could not be read. */
  readonly onUnreadable: () => void
}

/** Each level holds a folder of each layer open; no real tree is this deep. */
const MOST_LEVELS = 256

/**
 * Reports every path at which two trees differ: folders before their entries, names in the order of their
 * bytes. Ignores times, and files with the same bytes.
 *
 * Reads only folders whose layers differ. A hostile guest may change the layers meanwhile.
 */
export function compareStacks({layers, before, after}: Stacks, options: Options): void {
  const {ownersCount, onChange, onUnreadable} = options
  const places = new Map(
    [...new Set([...before, ...after])].map((layer) => [layer, layers[layer]?.folder ?? ''] as const),
  )
  const handles = openParts(places, onUnreadable)
  try {
    compareFolder({path: '', handles}, {before, after}, 0)
  } finally {
    closeAll(handles)
  }

  function compareFolder(folder: MergedFolder, parts: {before: Order; after: Order}, level: number): void {
    const names = namesIn(folder, onlyInOne(parts), onUnreadable)
    for (const name of names) compareName(folder, Buffer.from(name, 'latin1'), parts, level)
  }

  function compareName(
    folder: MergedFolder,
    name: Buffer,
    parts: {before: Order; after: Order},
    level: number,
  ): void {
    const path = joinPath(folder.path, name.toString('latin1'))
    const statuses = statusesOf(folder, name, onUnreadable)
    const old = findInStack(path, parts.before, {layers, statuses})
    const now = findInStack(path, parts.after, {layers, statuses})
    if (old?.layer !== now?.layer) tell(folder, {path, name, old, now})
    const inner = {before: old?.parts ?? [], after: now?.parts ?? []}
    if (onlyInOne(inner).length === 0) return
    if (level >= MOST_LEVELS) {
      onUnreadable()
      return
    }
    const wanted = new Set([...inner.before, ...inner.after])
    const below = [...folder.handles].filter(([layer]) => wanted.has(layer))
    const opened = openParts(new Map(below.map(([layer, each]) => [layer, each.entry(name)])), onUnreadable)
    try {
      compareFolder({path, handles: opened}, inner, level + 1)
    } finally {
      closeAll(opened)
    }
  }

  function tell(
    {handles}: MergedFolder,
    {path, name, old, now}: {path: string; name: Buffer; old: Found | undefined; now: Found | undefined},
  ): void {
    const places = {before: placeOf(old), after: placeOf(now)}
    const change = {path, before: entryAt(old, places.before), after: entryAt(now, places.after)}
    const aspects = aspectsIn(change, places)
    if (aspects !== undefined) onChange({...change, aspects}, places)

    function placeOf(found: Found | undefined): Buffer | undefined {
      return found === undefined ? undefined : handles.get(found.layer)?.entry(name)
    }

    function entryAt(found: Found | undefined, place: Buffer | undefined): Entry | undefined {
      if (found === undefined || place === undefined) return undefined
      const {status, layer} = found
      const target = status.isSymbolicLink()
        ? tolerant(() => readlinkSync(place, 'latin1'), onUnreadable)
        : undefined
      const capability = layers[layer]?.marks.capabilities.get(path)
      return entryOf(status, {
        ...(target === undefined ? {} : {target}),
        ...(capability === undefined ? {} : {capability}),
      })
    }
  }

  /** Returns undefined if they are equal. */
  function aspectsIn(
    {before, after}: Pick<Change, 'before' | 'after'>,
    places: Places,
  ): Aspect[] | undefined {
    if (before === undefined || after === undefined) return before === after ? undefined : []
    const aspects = aspectsOf(before, after, {ownersCount})
    const areFiles = before.kind === 'file' && after.kind === 'file'
    if (areFiles && !haveSameContent(places.before ?? '', places.after ?? '')) aspects.unshift('content')
    return aspects.length === 0 ? undefined : aspects
  }
}

/** Returns the parts of a folder that differ between two trees: shared parts are equal. */
function onlyInOne({before, after}: {before: Order; after: Order}): number[] {
  return [
    ...before.filter((layer) => !after.includes(layer)),
    ...after.filter((layer) => !before.includes(layer)),
  ]
}

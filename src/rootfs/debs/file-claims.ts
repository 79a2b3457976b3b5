import type {PackageControl} from './control-files.js'
import {packageRefusedError} from './errors.js'

type Claimant = Pick<PackageControl, 'name' | 'replaces'>

/** Which package has which file of a tree; the same whatever order they come in. */
export type FileClaims = {
  /** Whether a folder is to be as this package has it. */
  folder(place: string, claimant: Claimant): boolean
  /**
   * Whether a file is to be this package's.
   *
   * @param place - Where it really lies, links on the way resolved.
   * @param path - What the package calls it.
   * @throws {PackageRefusedError} When another has it, and neither replaces the other.
   */
  file(place: string, path: string, claimant: Claimant): boolean
  /** Paths that another package took over, by the name of the one that brought them. */
  lost(name: string): ReadonlySet<string>
}

/** Owners and modes of the folders all packages share are its word. */
const FIRST = 'base-files'
const NOTHING: ReadonlySet<string> = new Set()

export function openFileClaims(): FileClaims {
  const files = new Map<string, {readonly claimant: Claimant; readonly path: string}>()
  const folders = new Map<string, string>()
  const lost = new Map<string, Set<string>>()
  return {
    folder(place, {name}) {
      const holder = folders.get(place)
      if (holder !== undefined && !comesBefore(name, holder)) return false
      folders.set(place, name)
      return true
    },
    file(place, path, claimant) {
      const present = files.get(place)
      if (present !== undefined && present.claimant.name !== claimant.name) {
        if (!takesOver(claimant, present.claimant)) return false
        const {name} = present.claimant
        lost.set(name, (lost.get(name) ?? new Set()).add(present.path))
      }
      files.set(place, {claimant, path})
      return true
    },
    lost: (name) => lost.get(name) ?? NOTHING,
  }
}

function comesBefore(name: string, other: string): boolean {
  return other !== FIRST && (name === FIRST || name < other)
}

function takesOver(claimant: Claimant, present: Claimant): boolean {
  const [canTake, canLose] = [claimant.replaces.has(present.name), present.replaces.has(claimant.name)]
  if (!canTake && !canLose)
    throw packageRefusedError({
      name: claimant.name,
      reason: `the package ${present.name} has one of its files`,
    })
  return canTake && canLose ? claimant.name > present.name : canTake
}

import type {PackageControl} from './control-files.js'
import {packageRefusedError} from './errors.js'

type Claimant = Pick<PackageControl, 'name' | 'replaces'>

/** Decides which package owns a file, independent of the order of packages. */
export type FileClaims = {
  /** Returns whether this package sets the metadata of a folder. */
  folder(place: string, claimant: Claimant): boolean
  /**
   * Returns whether a file is to be this package's.
   *
   * @param place - Real path, with links on the way resolved.
   * @param path - Path in the package.
   * @throws {PackageRefusedError} If another package has it, and neither replaces the other.
   */
  file(place: string, path: string, claimant: Claimant): boolean
  /** Returns the paths that other packages replaced, by the name of their first package. */
  lost(name: string): ReadonlySet<string>
}

/** This package sets owners and modes of shared folders. */
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

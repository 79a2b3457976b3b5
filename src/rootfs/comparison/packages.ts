import type {PresentPackage} from '../../debian/dpkg-status.js'
import {compareVersions} from '../../debian/version.js'

export type PackageVersion = Pick<PresentPackage, 'name' | 'architecture' | 'version' | 'state'>

export type PackageMove = {
  readonly name: string
  readonly architecture: string
  readonly from: string
  readonly to: string
}

export type PackageChanges = {
  readonly added: readonly PackageVersion[]
  readonly removed: readonly PackageVersion[]
  readonly upgraded: readonly PackageMove[]
  readonly downgraded: readonly PackageMove[]
}

type Packages = ReadonlyMap<string, PresentPackage>

/** Returns each list ordered by name. */
export function comparePackages(before: Packages, after: Packages): PackageChanges {
  const moves = [...after].flatMap(([key, {name, architecture, version}]) => {
    const from = before.get(key)?.version
    return from === undefined || from === version ? [] : [{name, architecture, from, to: version}]
  })
  return {
    added: onlyIn(after, before),
    removed: onlyIn(before, after),
    upgraded: byName(moves.filter(({from, to}) => compareVersions(from, to) < 0)),
    downgraded: byName(moves.filter(({from, to}) => compareVersions(from, to) >= 0)),
  }
}

function onlyIn(these: Packages, those: Packages): PackageVersion[] {
  const only = [...these].filter(([key]) => !those.has(key))
  return byName(
    only.map(([, {name, architecture, version, state}]) => ({name, architecture, version, state})),
  )
}

function byName<T extends {readonly name: string; readonly architecture: string}>(packages: T[]): T[] {
  // Names contain no space, which sorts before all characters of names.
  const key = ({name, architecture}: T) => `${name} ${architecture}`
  return packages.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

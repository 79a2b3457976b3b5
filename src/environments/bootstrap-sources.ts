import type {PackagePlan, UsedPocket} from '../archive/plan.js'

/** Where each distribution's package of keys has them. */
const KEYRINGS = {
  debian: {package: 'debian-archive-keyring', path: '/usr/share/keyrings/debian-archive-keyring.gpg'},
  ubuntu: {package: 'ubuntu-keyring', path: '/usr/share/keyrings/ubuntu-archive-keyring.gpg'},
} as const

/**
 * APT's sources for a tree that was made of these pockets.
 *
 * @param options.ignoresExpiry - For a mirror that stands still.
 * @returns The file's path below the root, and its text. @see sources.list(5), "deb822-style format"
 */
export function aptSources(
  {release, pockets, packages}: Pick<PackagePlan, 'release' | 'pockets' | 'packages'>,
  {ignoresExpiry}: {ignoresExpiry: boolean},
): {path: string; text: string} {
  const keyring = KEYRINGS[release.distribution]
  const isThere = packages.some(({name}) => name === keyring.package)
  const tail = [
    ...(isThere ? [`Signed-By: ${keyring.path}`] : []),
    ...(ignoresExpiry ? ['Check-Valid-Until: no'] : []),
  ]
  const stanzas = byPlace(pockets).map((same) =>
    [
      'Types: deb',
      `URIs: ${same.slice(0, 1).map(({mirror}) => withoutUser(mirror))}`,
      `Suites: ${same.map(({suite}) => suite).join(' ')}`,
      `Components: ${same[0]?.components.join(' ')}`,
      ...tail,
    ].join('\n'),
  )
  return {
    path: `etc/apt/sources.list.d/${release.distribution}.sources`,
    text: `${stanzas.join('\n\n')}\n`,
  }
}

/** An image is shared and exported: APT has passwords from its own auth.conf(5). */
function withoutUser(mirror: string): string {
  return mirror.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

/** Pockets of one archive have one stanza. */
function byPlace(pockets: readonly UsedPocket[]): UsedPocket[][] {
  const groups = new Map<string, UsedPocket[]>()
  for (const pocket of pockets) {
    const key = [pocket.mirror, ...pocket.components].join(' ')
    groups.set(key, [...(groups.get(key) ?? []), pocket])
  }
  return [...groups.values()]
}

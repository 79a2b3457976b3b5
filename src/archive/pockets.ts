import type {ListingKind} from '../signature/pinned-keys.js'
import type {ArchiveRelease, PocketName} from './plan.js'

/** A part of a suite that is published by itself. */
export type Pocket = {
  readonly name: PocketName
  /** As it is written in APT's sources, and below dists/ in URLs. */
  readonly suite: string
  /** What its Release must say it is, where it says it. */
  readonly codename: string
  /** Undefined where the publisher changes it from day to day: `stable`, `testing`. */
  readonly suiteField: string | undefined
  /** A mirror need not have it. */
  readonly isOptional: boolean
  /** Whose keys sign it. */
  readonly kind: ListingKind
  /** Which of a distribution's archives holds it. */
  readonly archive: 'main' | 'security'
}

/** These have an archive of their own for security below another name. */
const OLD_SECURITY = ['wheezy', 'jessie', 'stretch', 'buster']

/** The pockets a release is made of, itself first. */
export function pocketsOf({distribution, codename}: ArchiveRelease): Pocket[] {
  const pocket = (name: PocketName): Pocket =>
    distribution === 'ubuntu' ? ubuntuPocket(name, codename) : debianPocket(name, codename)
  // Nothing comes after it but its next state.
  if (distribution === 'debian' && codename === 'sid') return [pocket('release')]
  return [pocket('release'), pocket('updates'), pocket('security')]
}

/** All of one codename, told apart by the field Suite; and all in the archive, the one for security too. */
function ubuntuPocket(name: PocketName, codename: string): Pocket {
  const suite = name === 'release' ? codename : `${codename}-${name}`
  return {
    name,
    suite,
    codename,
    suiteField: suite,
    isOptional: name !== 'release',
    kind: 'ubuntu-archive',
    archive: 'main',
  }
}

/** Each of a codename of its own; Suite changes with the next release. */
function debianPocket(name: PocketName, codename: string): Pocket {
  const isOldSecurity = name === 'security' && OLD_SECURITY.includes(codename)
  const suite = name === 'release' ? codename : isOldSecurity ? `${codename}/updates` : `${codename}-${name}`
  return {
    name,
    suite,
    codename: isOldSecurity ? codename : suite,
    suiteField: undefined,
    isOptional: name !== 'release',
    kind: name === 'security' ? 'debian-security' : 'debian-archive',
    archive: name === 'security' ? 'security' : 'main',
  }
}

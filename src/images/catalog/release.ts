/** One release of a distribution, as its distro-info table has it. */
export type Release = {
  readonly distribution: CataloguedDistribution
  /** `focal`: the name in URLs. */
  readonly codename: string
  /** `Focal Fossa`. */
  readonly title: string
  /** `20.04`, `13`; undefined for those that never get one: `sid`. */
  readonly version: string | undefined
  readonly isLts: boolean
  readonly created: Date
  /** Undefined as long as nobody knows the day. */
  readonly released: Date | undefined
  readonly eol: Support
}

export type CataloguedDistribution = 'ubuntu' | 'debian'

/** The last days of each kind of support; undefined where there is none, or none was set yet. */
export type Support = {
  readonly standard: Date | undefined
  /** Ubuntu's Expanded Security Maintenance; Debian's LTS. */
  readonly extended: Date | undefined
  /** Ubuntu's Legacy add-on; Debian's ELTS. */
  readonly legacy: Date | undefined
}

/** Tells whether standard support has ended: a release still gets it on its last day. */
export function isEol({eol}: Release, now: Date): boolean {
  return eol.standard !== undefined && now.getTime() >= eol.standard.getTime() + DAY_MS
}

export function isReleased({released}: Release, now: Date): boolean {
  return released !== undefined && now >= released
}

const DAY_MS = 86_400_000

/** A file of a package that lies elsewhere, because another package, or somebody, has its place. */
export type Diversion = {
  readonly to: string
  /** The package that has the place; `:` for somebody. */
  readonly by: string
}

/**
 * Diversions by the path that packages name; paths are absolute byte strings.
 *
 * @param text - /var/lib/dpkg/diversions: three lines for each.
 * @see dpkg-divert(1)
 */
export function parseDiversions(text: string): Map<string, Diversion> {
  const lines = text.split('\n')
  const diversions = new Map<string, Diversion>()
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const [from, to, by] = lines.slice(at, at + 3)
    if (from === undefined || to === undefined || by === undefined || by === '') continue
    if (from.startsWith('/') && to.startsWith('/')) diversions.set(from, {to, by})
  }
  return diversions
}

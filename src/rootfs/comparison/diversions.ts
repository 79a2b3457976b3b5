/** A file of a package under another path, because another package, or the administrator, has its place. */
export type Diversion = {
  readonly to: string
  /** The package that has the place; `:` for the administrator. */
  readonly by: string
}

/**
 * Returns diversions by the path in the package; paths are absolute byte strings.
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

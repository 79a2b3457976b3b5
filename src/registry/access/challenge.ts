/** How a server wants its client to authenticate. */
export type Challenge = {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>
}

/** A scheme, or a parameter with a quoted or a plain value, after the commas and spaces before it. */
const PART =
  /[\s,]*([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|(?![!#$%&'*+.^_`|~\w-]|\s*=))/gy

/** Longer headers are not parsed: Node takes headers of 16 KiB in all. */
const MOST_CHARACTERS = 8192

/**
 * Parses WWW-Authenticate. Several challenges may stand in one header, with commas between and within them.
 *
 * @returns Nothing for a header that is malformed from its start, else the challenges before the malformed part.
 * @see RFC 9110, section 11.6.1
 */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  const challenges: {scheme: string; parameters: Record<string, string>}[] = []
  for (const [, name = '', quoted, plain] of (header ?? '').slice(0, MOST_CHARACTERS).matchAll(PART)) {
    const value = plain ?? quoted?.replace(/\\(.)/g, '$1')
    const last = challenges.at(-1)
    if (value === undefined) challenges.push({scheme: name.toLowerCase(), parameters: {}})
    else if (last === undefined) return []
    else last.parameters[name.toLowerCase()] = value
  }
  return challenges
}

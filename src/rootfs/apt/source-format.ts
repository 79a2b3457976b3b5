/** A URI in a file of APT sources, with its position. */
export type SourceUri = {
  readonly uri: string
  /** Suites of its entry, as written: `noble`, `noble-updates`, `./`. */
  readonly suites: readonly string[]
  /** Offsets of the URI in the text; the second is that of the next character. */
  readonly start: number
  readonly end: number
}

/**
 * One of the two formats of sources.list(5). Texts are byte strings (latin1), so that no other byte changes.
 */
export type SourceFormat = {
  /** Returns the URIs of all entries in order, except for those without a host. */
  readonly find: (text: string) => SourceUri[]
  /** Returns a URI as written in this format. */
  readonly quote: (uri: string) => string
}

/** Replaces the URIs for which `choose` returns another one, and keeps all other bytes. */
export function replaceUris(
  text: string,
  format: SourceFormat,
  choose: (source: SourceUri) => string | undefined,
): string {
  const parts: string[] = []
  let from = 0
  for (const source of format.find(text)) {
    const uri = choose(source)
    if (uri === undefined) continue
    parts.push(text.slice(from, source.start), Buffer.from(format.quote(uri)).toString('latin1'))
    from = source.end
  }
  return parts.join('') + text.slice(from)
}

/** Returns the words of a part of the text, with their positions. */
export function wordsIn(
  text: string,
  start: number,
  end: number,
): {word: string; start: number; end: number}[] {
  return [...text.slice(start, end).matchAll(/[^ \t\v\f\r\n]+/g)].map(({0: word, index}) => ({
    word,
    start: start + index,
    end: start + index + word.length,
  }))
}

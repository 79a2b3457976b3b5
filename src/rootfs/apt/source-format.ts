/** A place in a file of APT sources where a URI stands. */
export type SourceUri = {
  readonly uri: string
  /** Those of its entry, as written: `noble`, `noble-updates`, `./`. */
  readonly suites: readonly string[]
  /** Offsets of the URI in the text; the second is that of the character after it. */
  readonly start: number
  readonly end: number
}

/** One of the two formats of sources.list(5). Texts are byte strings (latin1), so that nothing else changes. */
export type SourceFormat = {
  /** The URIs of all entries, in the order of the text; without those that have no host. */
  readonly find: (text: string) => SourceUri[]
  /** A URI as it has to be written in this format. */
  readonly quote: (uri: string) => string
}

/** Puts another URI where `choose` gives one, and leaves all else as it is, byte for byte. */
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

/** The words of a piece of the text, with their places. */
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

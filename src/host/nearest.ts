/** Further away than this, a name is another word and not a slip of the finger. */
const FURTHEST = 2

/** The candidates a typed `word` was most likely meant to be, nearest first, at most three. */
export function nearestNames(word: string, candidates: readonly string[]): string[] {
  return candidates
    .map((name) => ({name, distance: isCutShort(word, name) ? 0 : editDistance(word, name)}))
    .filter(({name, distance}) => distance <= Math.min(FURTHEST, Math.floor(name.length / 2)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({name}) => name)
}

/** Edits between two words, a swap of neighbours counting as one: optimal string alignment. */
export function editDistance(from: string, to: string): number {
  let older: number[] = []
  let previous = Array.from({length: to.length + 1}, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      )
      if (from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        best = Math.min(best, at(older, column - 2) + 1)
      current.push(best)
    }
    older = previous
    previous = current
  }
  return at(previous, to.length)
}

function isCutShort(word: string, name: string): boolean {
  return word.length >= 2 && name.startsWith(word)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}

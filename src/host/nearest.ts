import damerauLevenshtein from 'damerau-levenshtein'

/** Maximum edit distance of a typing mistake. */
const FURTHEST = 2

/** Returns the candidates nearest to `word`, at most three. */
export function nearestNames(word: string, candidates: readonly string[]): string[] {
  return candidates
    .map((name) => ({name, distance: isAbbreviation(word, name) ? 0 : damerauLevenshtein(word, name).steps}))
    .filter(({name, distance}) => distance <= Math.min(FURTHEST, Math.floor(name.length / 2)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({name}) => name)
}

function isAbbreviation(word: string, name: string): boolean {
  return word.length >= 2 && name.startsWith(word)
}

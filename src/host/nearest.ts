import damerauLevenshtein from 'damerau-levenshtein'

/** Further away than this, a name is another word and not a slip of the finger. */
const FURTHEST = 2

/** The candidates a typed `word` was most likely meant to be, nearest first, at most three. */
export function nearestNames(word: string, candidates: readonly string[]): string[] {
  return candidates
    .map((name) => ({name, distance: isCutShort(word, name) ? 0 : damerauLevenshtein(word, name).steps}))
    .filter(({name, distance}) => distance <= Math.min(FURTHEST, Math.floor(name.length / 2)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({name}) => name)
}

function isCutShort(word: string, name: string): boolean {
  return word.length >= 2 && name.startsWith(word)
}

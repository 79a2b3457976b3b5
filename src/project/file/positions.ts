/** A place in a text, counted from 1, as editors do. */
export type Position = {readonly line: number; readonly column: number}

type Key = string | number

/**
 * Finds where a TOML file sets a value: smol-toml checks the syntax and returns values without positions.
 *
 * @param path - Keys from the top, and the numbers of the elements of arrays, from 0.
 * @returns The position of the innermost key of `path` that the file names at the beginning of a line; of the file's beginning, if
 *   it names none.
 */
export function findPosition(text: string, path: readonly Key[]): Position {
  const keys = path.map(String)
  const entries = listKeys(text)
  for (let length = keys.length; length > 0; length--) {
    const wanted = keys.slice(0, length).join('\0')
    const found = entries.find((entry) => entry.path === wanted)
    if (found !== undefined) return found.position
  }
  return {line: 1, column: 1}
}

type Entry = {readonly path: string; readonly position: Position}

/** A header of a table or of an element of an array of tables. */
const HEADER = /^(?<indent>\s*)(?<open>\[\[?)\s*(?<keys>[^\]]+?)\s*\]/
const ASSIGNMENT =
  /^(?<indent>\s*)(?<keys>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(?<value>.*)$/
const KEY = /[\w-]+|"[^"]*"|'[^']*'/g

/** Lists headers and assignments at the beginnings of lines. The lines of a text of several lines are none. */
function listKeys(text: string): readonly Entry[] {
  const entries: Entry[] = []
  const counts = new Map<string, number>()
  let table: readonly string[] = []
  let ending: string | undefined
  for (const [index, lineText] of text.split('\n').entries()) {
    if (ending !== undefined) {
      if (lineText.includes(ending)) ending = undefined
      continue
    }
    const header = HEADER.exec(lineText)?.groups
    const assignment = header === undefined ? ASSIGNMENT.exec(lineText)?.groups : undefined
    const found = header ?? assignment
    if (found === undefined) continue
    const keys = keysIn(found['keys'] ?? '')
    if (header !== undefined) table = resolved(keys, counts, {isElement: header['open'] === '[['})
    const path = header === undefined ? [...table, ...keys] : table
    entries.push({
      path: path.join('\0'),
      position: {line: index + 1, column: (found['indent'] ?? '').length + 1},
    })
    ending = endOfText(assignment?.['value'] ?? '')
  }
  return entries
}

/** Returns the path of a header's table, with the number of the element for each array of tables on the way. */
function resolved(
  keys: readonly string[],
  counts: Map<string, number>,
  {isElement}: {readonly isElement: boolean},
): string[] {
  const path: string[] = []
  for (const [index, key] of keys.entries()) {
    path.push(key)
    const array = path.join('\0')
    const isLast = index === keys.length - 1
    if (isLast && isElement) counts.set(array, (counts.get(array) ?? -1) + 1)
    const element = counts.get(array)
    if (element !== undefined) path.push(String(element))
  }
  return path
}

function keysIn(text: string): string[] {
  return [...text.matchAll(KEY)].map(([key]) => (/^["']/.test(key) ? key.slice(1, -1) : key))
}

/** Returns the delimiter of a text that begins here and ends on another line. */
function endOfText(value: string): string | undefined {
  for (const mark of ['"""', "'''"]) {
    const parts = value.split(mark)
    if (parts.length === 2) return mark
  }
  return undefined
}

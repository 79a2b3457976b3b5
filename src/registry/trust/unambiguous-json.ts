/**
 * Parses JSON in which no object has a name twice: two programs could take two different values for it.
 *
 * @throws {SyntaxError}
 */
export function parseUnambiguousJson(text: string): unknown {
  const json: unknown = JSON.parse(text)
  const twice = findRepeatedName(text)
  if (twice !== undefined)
    throw new SyntaxError(`the name ${JSON.stringify(twice)} occurs twice in an object`)
  return json
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g

/** @param text - Valid JSON. */
function findRepeatedName(text: string): string | undefined {
  // The names of the objects around the current token; undefined for a list.
  const around: (Set<string> | undefined)[] = []
  let isNameNext = false
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      isNameNext = token === '{'
      around.push(isNameNext ? new Set() : undefined)
    } else if (token === '}' || token === ']') {
      around.pop()
      isNameNext = false
    } else if (token === ',') {
      isNameNext = around.at(-1) !== undefined
    } else if (isNameNext) {
      const name: string = JSON.parse(token)
      const names = around.at(-1)
      if (names?.has(name)) return name
      names?.add(name)
      isNameNext = false
    }
  }
  return undefined
}

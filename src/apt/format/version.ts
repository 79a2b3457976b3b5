/** A required or provided package: `libc6 (>= 2.41)`. */
export type Relation = {
  readonly name: string
  readonly bound?: {readonly operator: Operator; readonly version: string}
}

type Operator = '<<' | '<=' | '=' | '>=' | '>>'

const OPERATORS: readonly Operator[] = ['<<', '<=', '=', '>=', '>>']

const RELATION =
  /^(?<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(?<operator>[<>=]{1,2})\s*(?<version>[A-Za-z0-9.+:~-]+)\s*\))?$/

/**
 * Parses a value of Depends, Pre-Depends or Provides: alternatives for each requirement.
 *
 * Drops the architecture after a colon, because all packages have the same.
 *
 * @returns Undefined if it is malformed.
 * @see deb-control(5); Debian Policy, section 7.1
 */
export function parseRelations(text: string): Relation[][] | undefined {
  const groups: Relation[][] = []
  for (const group of text.split(',')) {
    if (group.trim() === '') continue
    const relations: Relation[] = []
    for (const alternative of group.split('|')) {
      const relation = parseRelation(alternative.trim())
      if (relation === undefined) return undefined
      relations.push(relation)
    }
    groups.push(relations)
  }
  return groups
}

function parseRelation(text: string): Relation | undefined {
  const {name, operator, version} = RELATION.exec(text)?.groups ?? {}
  if (name === undefined) return undefined
  if (operator === undefined || version === undefined) return {name}
  // The obsolete operators have the less strict of their two meanings.
  const meant = operator === '<' ? '<=' : operator === '>' ? '>=' : operator
  const known = OPERATORS.find((each) => each === meant)
  return known === undefined ? undefined : {name, bound: {operator: known, version}}
}

/** Returns whether a version satisfies a relation. */
export function isWithin(version: string, {bound}: Relation): boolean {
  if (bound === undefined) return true
  const order = compareVersions(version, bound.version)
  switch (bound.operator) {
    case '<<':
      return order < 0
    case '<=':
      return order <= 0
    case '=':
      return order === 0
    case '>=':
      return order >= 0
    case '>>':
      return order > 0
  }
}

/**
 * Returns whether a provided package satisfies a relation: without a version it satisfies only relations
 * without one.
 */
export function isProvided(provided: Relation, wanted: Relation): boolean {
  if (provided.name !== wanted.name) return false
  if (wanted.bound === undefined) return true
  return provided.bound?.operator === '=' && isWithin(provided.bound.version, wanted)
}

/**
 * Compares two versions of a package: negative if `a` is the earlier, 0 if they are equal.
 *
 * @see deb-version(7)
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)]
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  )
}

function parse(version: string): {epoch: number; upstream: string; revision: string} {
  const colon = version.indexOf(':')
  const rest = version.slice(colon + 1)
  const dash = rest.lastIndexOf('-')
  return {
    epoch: colon === -1 ? 0 : Number(version.slice(0, colon)) || 0,
    upstream: dash === -1 ? rest : rest.slice(0, dash),
    revision: dash === -1 ? '' : rest.slice(dash + 1),
  }
}

/**
 * Alternates between the longest run without digits, by {@link rank}, and the longest run of digits, as a
 * number.
 */
function compareParts(a: string, b: string): number {
  let [left, right] = [a, b]
  while (left !== '' || right !== '') {
    const [leftText, rightText] = [wordOf(left), wordOf(right)]
    const order = compareWords(leftText, rightText)
    if (order !== 0) return order
    left = left.slice(leftText.length)
    right = right.slice(rightText.length)
    const [leftDigits, rightDigits] = [digitsOf(left), digitsOf(right)]
    const difference = compareNumbers(leftDigits, rightDigits)
    if (difference !== 0) return difference
    left = left.slice(leftDigits.length)
    right = right.slice(rightDigits.length)
  }
  return 0
}

const wordOf = (text: string): string => /^[^0-9]*/.exec(text)?.[0] ?? ''
const digitsOf = (text: string): string => /^[0-9]*/.exec(text)?.[0] ?? ''

function compareWords(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const order = rank(a[at]) - rank(b[at])
    if (order !== 0) return order
  }
  return 0
}

/** A tilde sorts before the end, the end before letters, letters before all other characters. */
function rank(character: string | undefined): number {
  if (character === '~') return -1
  if (character === undefined) return 0
  const code = character.charCodeAt(0)
  return /[A-Za-z]/.test(character) ? code : code + 256
}

/** For numbers of any length. */
function compareNumbers(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  if (left.length !== right.length) return left.length - right.length
  return left === right ? 0 : left < right ? -1 : 1
}

import {compareVersions} from './version.js'

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

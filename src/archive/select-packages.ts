import {isProvided, isWithin, type Relation} from '../debian/relation.js'
import {didYouMean} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import type {AvailablePackages, Candidate} from './available.js'
import {packageNotFoundError, unmetDependencyError} from './errors.js'

type Options = {
  /** What the system is made of: closed over dependencies as debootstrap does it. */
  readonly seeds: readonly string[]
  /** What was asked for beside that. */
  readonly include: readonly string[]
  /** Taken only where nothing else will do. */
  readonly excluded: readonly string[]
  /** For errors. */
  readonly suite: string
  readonly components: readonly string[]
}

/**
 * Chooses packages that need nothing outside of themselves.
 *
 * First debootstrap's way, so that the base system is the one everybody else has: of each dependency the first alternative,
 * and those passed over that are no package. Then what is asked for, and APT's way: a dependency that something chosen answers
 * brings nothing more; else the first alternative there is, else what provides one.
 *
 * @returns By name.
 * @throws {@link packageNotFoundError} @throws {@link unmetDependencyError} @throws {@link malformedIndexError}
 */
export function selectPackages(available: AvailablePackages, options: Options): Candidate[] {
  const chosen = new Map<string, Candidate>()
  addBase(chosen, available, options)
  for (const name of options.include) add(chosen, findIncluded(name, available, options))
  // A Map gives what is added while it is gone through.
  for (const [, candidate] of chosen) {
    for (const alternatives of candidate.needs) {
      if (isMet(alternatives, chosen)) continue
      add(chosen, choose(alternatives, {candidate, available, options}))
    }
  }
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function addBase(
  chosen: Map<string, Candidate>,
  available: AvailablePackages,
  {seeds, excluded}: Options,
): void {
  const queue = [...seeds]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const candidate = chosen.has(name) ? undefined : available.find(name)
    if (candidate === undefined) continue
    add(chosen, candidate)
    const first = candidate.needs.flatMap(([relation]) => relation?.name ?? [])
    queue.push(...first.filter((each) => !excluded.includes(each)))
  }
}

function add(chosen: Map<string, Candidate>, candidate: Candidate): void {
  chosen.set(candidate.name, candidate)
}

function findIncluded(name: string, available: AvailablePackages, {suite, components}: Options): Candidate {
  const candidate = available.find(name)
  if (candidate !== undefined) return candidate
  const providers = available.providersOf({name}).map((each) => each.name)
  const near = providers.length > 0 ? providers.slice(0, 3) : nearestNames(name, available.names())
  throw packageNotFoundError({name, suite, components}, {hints: didYouMean(near)})
}

function isMet(alternatives: readonly Relation[], chosen: ReadonlyMap<string, Candidate>): boolean {
  return alternatives.some((relation) => {
    const own = chosen.get(relation.name)
    if (own !== undefined && isWithin(own.version, relation)) return true
    for (const [, {provided}] of chosen) if (provided.some((each) => isProvided(each, relation))) return true
    return false
  })
}

function choose(
  alternatives: readonly Relation[],
  {candidate, available, options}: {candidate: Candidate; available: AvailablePackages; options: Options},
): Candidate {
  const real = alternatives.flatMap((relation) => {
    const found = available.find(relation.name)
    return found !== undefined && isWithin(found.version, relation) ? [found] : []
  })
  const possible = [...real, ...alternatives.flatMap((relation) => available.providersOf(relation))]
  const best = possible.find(({name}) => !options.excluded.includes(name)) ?? possible[0]
  if (best !== undefined) return best
  const wanted = alternatives.map(showRelation).join(' or ')
  throw unmetDependencyError({name: candidate.name, wanted, suite: options.suite})
}

function showRelation({name, bound}: Relation): string {
  return bound === undefined ? name : `${name} (${bound.operator} ${bound.version})`
}

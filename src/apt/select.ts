import {didYouMean} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import type {MirrorSuite, PocketName} from './context.js'
import {
  malformedIndexError,
  NotInComponentsError,
  packageNotFoundKind,
  unmetDependencyKind,
} from './errors.js'
import {compareVersions, isProvided, isWithin, parseRelations, type Relation} from './format/version.js'
import type {OpenedPocket} from './open-pocket.js'
import {type PackageRecord, parseRecord} from './package-index.js'

type SelectionOptions = {
  /** Packages of the base system; debootstrap's rules add their dependencies. */
  readonly seeds: readonly string[]
  /** Additional packages. */
  readonly include: readonly string[]
  /** Selected only if there is no alternative. */
  readonly excluded: readonly string[]
  /** Name of the suite, for errors. */
  readonly suite: string
  readonly components: readonly string[]
}

/**
 * Selects packages and their dependencies.
 *
 * The base system is selected by debootstrap's rule, so that it equals the usual one: the first alternative of
 * each dependency, except names without a package. Additional packages are selected by APT's rule: a dependency
 * that a selected package satisfies adds nothing; else the first available alternative, else a provider.
 *
 * @returns The packages, ordered by name.
 * @throws {NotInComponentsError} @throws {@link malformedIndexError}
 */
export function selectPackages(available: AvailablePackages, options: SelectionOptions): Candidate[] {
  const chosen = new Map<string, Candidate>()
  addBase(chosen, available, options)
  for (const name of options.include) add(chosen, findIncluded(name, available, options))
  // A Map iterates over entries that are added during the iteration.
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
  {seeds, excluded}: SelectionOptions,
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

function findIncluded(
  name: string,
  available: AvailablePackages,
  {suite, components}: SelectionOptions,
): Candidate {
  const candidate = available.find(name)
  if (candidate !== undefined) return candidate
  const providers = available.providersOf({name}).map((each) => each.name)
  const near = providers.length > 0 ? providers.slice(0, 3) : nearestNames(name, available.names())
  const parts = packageNotFoundKind.parts({name, suite, components}, {hints: didYouMean(near)})
  throw new NotInComponentsError([name], parts)
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
  {
    candidate,
    available,
    options,
  }: {candidate: Candidate; available: AvailablePackages; options: SelectionOptions},
): Candidate {
  const real = alternatives.flatMap((relation) => {
    const found = available.find(relation.name)
    return found !== undefined && isWithin(found.version, relation) ? [found] : []
  })
  const possible = [...real, ...alternatives.flatMap((relation) => available.providersOf(relation))]
  const best = possible.find(({name}) => !options.excluded.includes(name)) ?? possible[0]
  if (best !== undefined) return best
  const wanted = alternatives.map(showRelation).join(' or ')
  const {suite, components} = options
  const parts = unmetDependencyKind.parts({name: candidate.name, wanted, suite, components})
  throw new NotInComponentsError(
    alternatives.map(({name}) => name),
    parts,
  )
}

function showRelation({name, bound}: Relation): string {
  return bound === undefined ? name : `${name} (${bound.operator} ${bound.version})`
}

/** The newest version of a package in all pockets. */
export type Candidate = PackageRecord & {
  readonly pocket: PocketName
  readonly place: MirrorSuite
  /** Dependencies, each with its alternatives; Pre-Depends first. */
  readonly needs: readonly (readonly Relation[])[]
  readonly provided: readonly Relation[]
}

/** The packages of some pockets; a record is parsed when it is requested. */
export class AvailablePackages {
  readonly #candidates = new Map<string, Candidate | undefined>()

  constructor(private readonly pockets: readonly OpenedPocket[]) {}

  /** Returns the newest version of a package. @throws {@link malformedIndexError} */
  find(name: string): Candidate | undefined {
    if (!this.#candidates.has(name)) this.#candidates.set(name, this.#newest(name))
    return this.#candidates.get(name)
  }

  /** Returns the packages that provide a relation under another name, by priority. */
  providersOf(relation: Relation): Candidate[] {
    const names = new Set(this.#indices.flatMap(({providers}) => providers.find(relation.name)))
    return [...names]
      .sort()
      .flatMap((name) => this.find(name) ?? [])
      .filter(({provided}) => provided.some((each) => isProvided(each, relation)))
      .sort((a, b) => rankOf(a) - rankOf(b))
  }

  /** Returns the names of the packages with a priority, in order. */
  withPriority(priority: 'required' | 'important'): string[] {
    const names = new Set(this.#indices.flatMap((index) => index[priority]))
    return [...names].sort().filter((name) => this.find(name)?.priority === priority)
  }

  names(): string[] {
    return [...new Set(this.#indices.flatMap(({records}) => [...records.keys()]))]
  }

  get #indices() {
    return this.pockets.flatMap(({indices}) => indices)
  }

  #newest(name: string): Candidate | undefined {
    let newest: Candidate | undefined
    for (const {used, place, indices} of this.pockets) {
      for (const line of indices.flatMap(({records}) => records.find(name))) {
        const candidate = candidateOf(name, line, {pocket: used.name, place})
        if (newest === undefined || compareVersions(candidate.version, newest.version) > 0) newest = candidate
      }
    }
    return newest
  }
}

const PRIORITIES = ['required', 'important', 'standard', 'optional']

function rankOf({priority}: Candidate): number {
  const rank = PRIORITIES.indexOf(priority)
  return rank === -1 ? PRIORITIES.length : rank
}

function candidateOf(
  name: string,
  line: string,
  {pocket, place}: {pocket: PocketName; place: MirrorSuite},
): Candidate {
  const record = parseRecord(name, line)
  const needs = record && parseRelations([record.preDepends, record.depends].join(','))
  const provided = record && parseRelations(record.provides)
  if (record === undefined || needs === undefined || provided === undefined) {
    throw malformedIndexError({
      ...place,
      reason: `its entry for ${JSON.stringify(name.slice(0, 80))} is invalid`,
    })
  }
  return {...record, pocket, place, needs, provided: provided.flat()}
}

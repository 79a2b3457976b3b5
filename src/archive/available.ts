import {isProvided, parseRelations, type Relation} from '../debian/relation.js'
import {compareVersions} from '../debian/version.js'
import {malformedIndexError} from './errors.js'
import type {OpenedPocket} from './open-pocket.js'
import {type PackageRecord, parseRecord} from './package-record.js'
import type {Place} from './place.js'
import type {PocketName} from './plan.js'

/** A package as the pocket has it whose version is the highest. */
export type Candidate = PackageRecord & {
  readonly pocket: PocketName
  readonly place: Place
  /** What has to be there, each by one of several; Pre-Depends first. */
  readonly needs: readonly (readonly Relation[])[]
  readonly provided: readonly Relation[]
}

/** All packages of some pockets; each is looked at when it is asked for. */
export class AvailablePackages {
  readonly #candidates = new Map<string, Candidate | undefined>()

  constructor(private readonly pockets: readonly OpenedPocket[]) {}

  /** @throws {@link malformedIndexError} */
  find(name: string): Candidate | undefined {
    if (!this.#candidates.has(name)) this.#candidates.set(name, this.#newest(name))
    return this.#candidates.get(name)
  }

  /** The packages that answer a relation without being of its name, those first that more depends on. */
  providersOf(relation: Relation): Candidate[] {
    const names = new Set(this.#indices.flatMap(({providers}) => providers.find(relation.name)))
    return [...names]
      .sort()
      .flatMap((name) => this.find(name) ?? [])
      .filter(({provided}) => provided.some((each) => isProvided(each, relation)))
      .sort((a, b) => rankOf(a) - rankOf(b))
  }

  /** In the order of their names. */
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
  {pocket, place}: {pocket: PocketName; place: Place},
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

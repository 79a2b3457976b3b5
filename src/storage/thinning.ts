import {type History, withoutSnapshots} from './history.js'

/** Automatic snapshots that stay regardless of their age. */
const NEWEST = 10
/** For so long, one of each day stays. */
const DAYS = 7

const DAY_MS = 86_400_000

/**
 * Applies retention: removes automatic snapshots that are close together or old. Keeps manual ones, and
 * states that going back replaced.
 */
export function thinned(history: History, now: Date): History {
  const automatic = history.snapshots.filter(({kind}) => kind === 'automatic').reverse()
  const kept = new Set<string>(automatic.slice(0, NEWEST).map(({label}) => label))
  const days = new Set<string>()
  for (const {label, createdAt} of automatic.slice(NEWEST)) {
    const day = createdAt.toDateString()
    if (now.getTime() - createdAt.getTime() > DAYS * DAY_MS || days.has(day)) continue
    days.add(day)
    kept.add(label)
  }
  const gone = automatic.map(({label}) => label).filter((label) => !kept.has(label))
  return gone.length === 0 ? history : withoutSnapshots(history, new Set(gone))
}

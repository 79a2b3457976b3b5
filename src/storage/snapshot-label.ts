import {UsageError} from '../errors.js'
import type {History} from './history.js'

/** A word on a command line that is never an option, and short enough for a column. */
const FORM = /^[a-z0-9][a-z0-9_.-]{0,62}$/

/** @throws {UsageError} */
export function parseLabel(text: string): string {
  if (FORM.test(text)) return text
  throw new UsageError(`"${text}" is not a valid label for a snapshot.`, [
    'Use 1 to 63 characters of a-z, 0-9, dot, dash and underscore; begin with a letter or a digit.',
  ])
}

/** A label that says when, in the user's own time: `auto-20260102-120000`; with a number where that is taken. */
export function timeLabel({snapshots}: Pick<History, 'snapshots'>, now: Date, prefix = ''): string {
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join('')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join('')
  return freeLabel({snapshots}, `${prefix}${date}-${time}`)
}

/** The label, or the first with a number that is free. */
export function freeLabel({snapshots}: Pick<History, 'snapshots'>, wanted: string): string {
  const taken = new Set(snapshots.map(({label}) => label))
  let label = wanted
  for (let number = 2; taken.has(label); number++) label = `${wanted}-${number}`
  return label
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

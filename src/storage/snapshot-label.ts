import {UsageError} from '../errors.js'
import type {History} from './history.js'

/** A word on a command line that can't be an option, and fits a column. */
const FORM = /^[a-z0-9][a-z0-9_.-]{0,62}$/

/** @throws {UsageError} */
export function parseLabel(text: string): string {
  if (FORM.test(text)) return text
  throw new UsageError(`"${text}" is not a valid label for a snapshot.`, [
    'Use 1 to 63 characters of a-z, 0-9, dot, dash and underscore; begin with a letter or a digit.',
  ])
}

/** Returns a label with the local time: `auto-20260102-120000`; with a number if that exists. */
export function timeLabel({snapshots}: Pick<History, 'snapshots'>, now: Date, prefix = ''): string {
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join('')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join('')
  return freeLabel({snapshots}, `${prefix}${date}-${time}`)
}

/** Returns the label, or the label with the first free number. */
export function freeLabel({snapshots}: Pick<History, 'snapshots'>, wanted: string): string {
  const taken = new Set(snapshots.map(({label}) => label))
  let label = wanted
  for (let number = 2; taken.has(label); number++) label = `${wanted}-${number}`
  return label
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

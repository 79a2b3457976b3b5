import {displayWidth} from './display-width.js'
import {escapeText} from './escape.js'

/** Labels and values below one another; a field without a value is left out. */
export function renderFields(
  fields: readonly (readonly [label: string, value: string | undefined])[],
): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined)
  const width = Math.max(0, ...shown.map(([label]) => displayWidth(label)))
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${escapeText(value)}`).join('\n')
}

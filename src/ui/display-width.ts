import {eastAsianWidth} from 'get-east-asian-width'

/** Only what is outside of it needs Unicode's tables, which take longer to get ready than a command to run. */
const ASCII = /^[\x20-\x7e]*$/

let segmenter: Intl.Segmenter | undefined

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', {granularity: 'grapheme'})
  return segmenter.segment(text)
}

/** Asks for the picture of a sign, which is two columns wide. */
const EMOJI_SELECTOR = '\ufe0f'

const INVISIBLE = /^[\p{Mn}\p{Me}]/u

/** Columns that `text` takes on a terminal, whatever marks and joined signs are in it. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let columns = 0
  for (const {segment} of graphemesOf(text)) columns += graphemeWidth(segment)
  return columns
}

/** The longest beginning of `text` that fits `columns`, with an ellipsis where something was cut off. */
export function truncateToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let kept = ''
  let room = columns - 1
  for (const {segment} of graphemesOf(text)) {
    room -= graphemeWidth(segment)
    if (room < 0) break
    kept += segment
  }
  return columns < 1 ? '' : `${kept}…`
}

function graphemeWidth(segment: string): number {
  if (INVISIBLE.test(segment)) return 0
  return segment.includes(EMOJI_SELECTOR) ? 2 : eastAsianWidth(segment.codePointAt(0) ?? 0)
}

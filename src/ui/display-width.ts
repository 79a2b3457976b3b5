/** Only what is outside of it needs Unicode's tables, which take longer to get ready than a command to run. */
const ASCII = /^[\x20-\x7e]*$/

let segmenter: Intl.Segmenter | undefined

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', {granularity: 'grapheme'})
  return segmenter.segment(text)
}

/** Scripts and signs that terminals give two columns. @see https://www.unicode.org/reports/tr11/ */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|^[\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}|\ufe0f/u

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
  return WIDE.test(segment) ? 2 : 1
}

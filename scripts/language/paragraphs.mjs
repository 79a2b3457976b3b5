/**
 * Cuts a file into the paragraphs that a person reads: text with its line breaks as spaces, and the line of each offset.
 * Markdown loses its code, sources lose all but comments (`texts: 'comments'`) or keep their strings too (`texts: 'all'`).
 */
export function readParagraphs(file, content, texts) {
  const lines = content.split('\n')
  if (file.endsWith('.md')) return joinLines(proseOfMarkdown(lines))
  const comments = joinLines(lines.map((line) => commentOf(line)))
  return texts === 'all' ? [...comments, ...stringsIn(lines)] : comments
}

function proseOfMarkdown(lines) {
  let fenced = false
  return lines.map((line) => {
    const isFence = /^\s*```/.test(line)
    if (isFence) fenced = !fenced
    // A heading is a title, not a sentence: "What is kept" may stand there.
    if (fenced || isFence || /^#/.test(line)) return ''
    return line.replace(/`[^`]*`/g, '`…`')
  })
}

/** A comment's words: of a line that holds nothing else, or behind the code of a line. */
function commentOf(line) {
  const own = /^\s*(?:\/\*\*?|\*\/|\*|\/\/|#(?!!))(?<words>.*)$/.exec(line)
  const words = own?.groups?.words ?? / (?:\/\/|#) (?<words>.*)$/.exec(line)?.groups?.words ?? ''
  return words.replace(/\*\/\s*$/, '')
}

/** Texts in quotes, each a paragraph; one that a backslash continues on the next line is one text. */
function stringsIn(lines) {
  const paragraphs = []
  let open
  for (const [index, line] of lines.entries()) {
    if (open === undefined && commentOf(line) !== '') continue
    const words = open === undefined ? (/["'`](?<words>.*)$/.exec(line)?.groups?.words ?? '') : line.trim()
    open ??= {text: '', starts: []}
    open.starts.push({offset: open.text.length, line: index + 1})
    open.text += words.replace(/\\$/, '')
    if (words.endsWith('\\')) continue
    if (open.text !== '') paragraphs.push(makeParagraph(open.text, open.starts))
    open = undefined
  }
  return paragraphs
}

function joinLines(lines) {
  const paragraphs = []
  let starts = []
  let text = ''
  const end = () => {
    if (text !== '') paragraphs.push(makeParagraph(text, starts))
    text = ''
    starts = []
  }
  for (const [index, line] of lines.entries()) {
    const words = line.trim()
    // A tag of a doc comment, an item of a list and a row of a table each begin a paragraph.
    if (words === '' || /^(?:@|[-*|] ?|\d+\. )/.test(words)) end()
    if (words === '') continue
    if (text !== '') text += ' '
    starts.push({offset: text.length, line: index + 1})
    text += words.replace(/^(?:@\w+(?: \{\w+\})?(?: \w+ -)?|[-*|]|\d+\.) */, '')
  }
  end()
  return paragraphs
}

function makeParagraph(text, starts) {
  return {text, lineAt: (offset) => starts.findLast((start) => start.offset <= offset)?.line ?? 0}
}

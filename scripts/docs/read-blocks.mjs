import {spawnSync} from 'node:child_process'

/** The prompt of a guest's shell, and the typed text. */
const GUEST_PROMPT = /^(?:\([^)]*\))?root@[^:\s]+:\S* ?# ?(.*)$/
const HOST_PROMPT = /^\$ (.*)$/
const STATUS = /# exits with (\d+)\s*$/

/**
 * Returns the blocks of a page that are for a shell: ```sh has commands, ```console has commands after `$ `
 * and their output.
 *
 *     ```sh                        is typed
 *     ```sh with focal=trixie      is typed with one word replaced by another
 *     ```sh no-run: REASON         is not typed
 *
 * @returns Each with `line`, and with `reason` or `commands`.
 * @throws {Error} If the kind of a block is followed by anything else.
 */
export function readBlocks(page, text) {
  const blocks = []
  let open
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)?.[1]
    if (open === undefined && fence !== undefined) open = {line: index + 1, info: fence.trim(), lines: []}
    else if (fence === '') {
      blocks.push(open)
      open = undefined
    } else open?.lines.push(line)
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: the block has no end`)
  return blocks
    .filter(({info}) => /^(sh|bash|shell|console)\b/.test(info))
    .map((block) => readBlock(page, block))
}

function readBlock(page, {line, info, lines}) {
  const [, kind = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(info) ?? []
  const reason = /^no-run: (.+)$/.exec(rest)?.[1]
  if (reason !== undefined) return {line, reason}
  const words = /^with ((?:[^\s=]+=[^\s=]+\s*)+)$/.exec(rest)?.[1] ?? ''
  if ((kind !== 'sh' && kind !== 'console') || (rest !== '' && words === ''))
    throw new Error(
      `${page}:${line}: \`\`\`${info} is not of the kinds that scripts/docs/read-blocks.mjs names`,
    )
  const replaced = lines.map((text) => replaceWords(text, words.trim().split(/\s+/)))
  return {line, commands: kind === 'sh' ? shellCommands(replaced) : shownCommands(replaced)}
}

function replaceWords(text, pairs) {
  let result = text
  for (const [from = '', to = ''] of pairs.filter(Boolean).map((pair) => pair.split('=')))
    result = result.replaceAll(new RegExp(`(?<![\\w.-])${escapeRegExp(from)}(?![\\w-])`, 'g'), to)
  return result
}

export function escapeRegExp(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function shellCommands(lines) {
  return joinLines(lines).map((command) => ({command, status: statusOf(command), typed: [], output: []}))
}

/** Joins lines that belong to one command: until the shell has a complete one. */
function joinLines(lines) {
  const commands = []
  let begun = ''
  for (const line of lines) {
    if (begun === '' && /^\s*(#.*)?$/.test(line)) continue
    begun += `${line}\n`
    if (line.endsWith('\\')) continue
    const {status, stderr} = spawnSync('bash', ['-n'], {input: begun, encoding: 'utf8'})
    if (status !== 0 || stderr !== '') continue
    commands.push(begun.trimEnd())
    begun = ''
  }
  return begun === '' ? commands : [...commands, begun.trimEnd()]
}

function shownCommands(lines) {
  const commands = []
  for (const line of lines) {
    const [, command] = HOST_PROMPT.exec(line) ?? []
    const [, typed] = GUEST_PROMPT.exec(line) ?? []
    if (command !== undefined) commands.push({command, status: statusOf(command), typed: [], output: []})
    else if (typed === undefined) commands.at(-1)?.output.push(line)
    else commands.at(-1)?.typed.push(typed)
  }
  return commands
}

function statusOf(command) {
  return Number(STATUS.exec(command)?.[1] ?? 0)
}

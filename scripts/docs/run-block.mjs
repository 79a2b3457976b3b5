import {spawn} from 'node:child_process'
import {open, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {escapeRegExp} from './read-blocks.mjs'

/**
 * More than the slowest command of a page takes on a busy machine with two cores: building an image from
 * packages.
 */
const TIMEOUT_MS = 180_000
/** Marks the end of a command's output; no text contains it. */
const MARK = '\u001e'

/**
 * Runs a block in one bash, so that `cd` and variables last until its end; runs each command even if an
 * earlier one failed.
 *
 * @returns Differences from the page, one text a command; empty if there are none.
 */
export async function runBlock({commands}, {home, env}) {
  const output = join(home, '.follow-docs.out')
  const script = commands.map(asScript).join('\n')
  const ended = await runBash(script, {home, env, output})
  const parts = (await readFile(output, 'utf8')).split(MARK)
  const failures = []
  for (const [index, {command, status, output: expected}] of commands.entries()) {
    const [printed = '', found] = [parts[index * 2], parts[index * 2 + 1]]
    const shown = withoutProgress(printed)
    if (found === undefined)
      return [...failures, `${command}\n  ended the shell (${ended})\n${indent(shown)}`]
    if (Number(found) !== status)
      failures.push(`${command}\n  exits with ${found}, not with ${status}\n${indent(shown)}`)
    else if (!fits(shown, expected))
      failures.push(`${command}\n  prints\n${indent(shown)}\n  where the page has\n${indent(expected)}`)
  }
  return failures
}

function asScript({command, typed}) {
  const input =
    typed.length === 0
      ? ''
      : `set -- "$(cat <<'END OF WHAT IS TYPED'\n${typed.join('\n')}\nEND OF WHAT IS TYPED\n)"\n`
  const run = typed.length === 0 ? command : `printf '%s\\n' "$1" | ${command}`
  return `${input}{\n${run}\n} 2>&1\nprintf '${MARK}%s${MARK}' $?`
}

async function runBash(script, {home, env, output}) {
  // A file, not a pipe: background processes in an environment would keep a pipe open.
  const file = await open(output, 'w')
  try {
    const child = spawn('bash', ['-c', script], {
      cwd: home,
      env,
      stdio: ['ignore', file.fd, file.fd],
      timeout: TIMEOUT_MS,
    })
    return await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (status, signal) => resolve(signal ?? `status ${status}`))
    })
  } finally {
    await file.close()
  }
}

/** Removes the progress of long jobs. */
function withoutProgress(printed) {
  return lines(printed).filter((line) => !/^[❯✔] /.test(line))
}

function lines(text) {
  return text.split(/\r?\n/).slice(0, text.endsWith('\n') ? -1 : undefined)
}

/**
 * Returns whether the output matches the page: `…` stands for any text, on its own line for any lines; the
 * number of blanks is ignored, because widths of columns differ. A page without output accepts any.
 */
function fits(printed, expected) {
  if (expected.every((line) => line.trim() === '')) return true
  const pattern = expected
    .map((line) => (line.trim() === '…' ? '(?:.*\n)*?' : `${asPattern(line)}\n`))
    .join('')
  return new RegExp(`^${pattern}$`, 'u').test(printed.map((line) => `${squeeze(line)}\n`).join(''))
}

function asPattern(line) {
  return squeeze(line).split('…').map(escapeRegExp).join('.*')
}

function squeeze(line) {
  return line.trim().replaceAll(/\s+/g, ' ')
}

function indent(shown) {
  return shown.map((line) => `    ${line}`).join('\n')
}

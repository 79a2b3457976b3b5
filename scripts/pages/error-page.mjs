import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {register} from 'tsx/esm/api'

const SECTIONS = new Map([
  [1, 'A bug'],
  [2, 'Command lines and settings'],
  [3, 'Not found'],
  [4, 'In the way, or in use'],
  [5, 'Network'],
  [6, 'Verification failed'],
  [7, 'The host lacks something'],
  [8, 'Disk space and storage'],
  [10, 'A check or a step failed'],
  [125, 'The session did not start'],
  [126, 'The command cannot be executed'],
  [127, 'The command was not found'],
  [130, 'Interrupted'],
])

const HEAD = `# Troubleshooting, by message

<!-- Made of the errors that src defines, by \`npm run docs\`. -->

A failure is one line that begins with \`envs:\`, with the next steps below the line; \`--verbose\` adds the causes. With \`--json\`
a failure has a \`code\`, which stays the same when the message changes. Look for your message here: words in capitals stand for names,
paths, figures and reasons. Your own message may have more next steps, which fit your case. Each section has one
[exit status](exit-codes.md); \`run\`, \`enter\` and \`try\` end with 125 instead.

\`envs doctor\` explains what the host lacks, with the remedy ([doctor.md](doctor.md)); \`envs doctor --repair\` removes what
killed commands left behind. Files that do not verify are never kept.
`

/** docs/troubleshooting.md: every error with its code, its message and the next steps, by exit status. */
export async function errorPage(root) {
  const kinds = await errorKinds(join(root, 'src'))
  const sections = [...SECTIONS].flatMap(([status, title]) => section(status, title, kinds))
  const unknown = kinds.find(({exitCode}) => !SECTIONS.has(exitCode))
  if (unknown !== undefined) throw new Error(`no section for the exit status ${unknown.exitCode}`)
  return [HEAD, ...sections].join('\n')
}

function section(status, title, kinds) {
  const rows = kinds.filter(({exitCode}) => exitCode === status)
  if (rows.length === 0) return []
  return [
    `## ${title} (exit status ${status})`,
    '',
    '| message | code | next step |',
    '|---|---|---|',
    ...rows.map(({message, code, nextSteps}) => `| ${line(message)} | \`${code}\` | ${steps(nextSteps)} |`),
    '',
  ]
}

/** Usage errors have one code and many messages: the page has one row for them. */
function line(message) {
  return message === '{problem}' ? '*any other message about arguments and options*' : text(message)
}

function steps(nextSteps) {
  return nextSteps.length === 0 ? '–' : nextSteps.map(step).join('<br>')
}

/** A step may be a command, or a sentence that ends with one. */
function step(words) {
  const command = /(?:^|: )(envs (?:(?!, |\. )[^:])+)$/.exec(words)?.[1]
  return command === undefined
    ? text(words)
    : `${text(words.slice(0, -command.length))}\`${withCapitals(command)}\``
}

/** A name, a path or a figure of the user's own: `{hostPackage}` is HOST-PACKAGE, as in the usage of commands. */
function withCapitals(words) {
  return words.replaceAll(/\{(\w+)\}/g, (_, name) => name.replaceAll(/[A-Z]/g, '-$&').toUpperCase())
}

function text(words) {
  return withCapitals(words).replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

/** All kinds that the files below a folder export, by message. */
async function errorKinds(folder) {
  const unregister = register()
  const kinds = new Set()
  for (const name of await readdir(folder, {recursive: true})) {
    const path = join(folder, name)
    if (!name.endsWith('.ts') || !(await readFile(path, 'utf8')).includes('= defineError(')) continue
    const exported = Object.values(await import(pathToFileURL(path).href))
    for (const value of exported.flatMap((each) => [each, ...Object.values(each ?? {})]))
      if (typeof value === 'function' && 'nextSteps' in value) kinds.add(value)
  }
  await unregister()
  return [...kinds].sort((a, b) => compare(a.message, b.message) || compare(a.code, b.code))
}

function compare(a, b) {
  if (a === b) return 0
  return a < b ? -1 : 1
}

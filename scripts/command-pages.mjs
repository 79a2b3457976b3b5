// Writes docs/commands, a page for each command and a list of them, schemas/output.json, docs/json.md from that, docs/troubleshooting.md
// from the definitions of errors, and the table of rooms in docs/architecture.md.
//
// usage: node scripts/command-pages.mjs [--check]    with --check, only lists outdated pages
import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {isDeepStrictEqual} from 'node:util'
import {readManifest} from './manifest-files.mjs'
import {shownCommands} from './pages/command-text.mjs'
import {errorPage} from './pages/error-page.mjs'
import {jsonPage} from './pages/json-page.mjs'
import {outputSchema} from './pages/output-schema.mjs'
import {projectSchema} from './pages/project-schema.mjs'
import {DOORS, ROOMS} from './rooms.mjs'

/** Returns texts by path in docs. */
function allPages(manifest, {oclif: {topics}}, schema) {
  const commands = shownCommands(manifest)
  return {
    'json.md': jsonPage(schema),
    'commands/README.md': listPage(commands, topics),
    ...Object.fromEntries(commands.map((command) => [`commands/${fileName(command)}`, commandPage(command)])),
  }
}

/** Returns the page with the table of rooms between its two marks. */
function withRooms(page) {
  const [before, after] = [page.split('<!-- rooms -->')[0], page.split('<!-- /rooms -->')[1]]
  const code = (name) => `\`${name}\``
  const doors = (room) =>
    Object.entries(DOORS).flatMap(([name, folders]) =>
      folders.some((folder) => folder === room || folder.startsWith(`${room}/`)) ? [code(name)] : [],
    )
  const rows = Object.entries(ROOMS).map(
    ([room, others]) => `| ${code(room)} | ${others.map(code).join(', ')} | ${doors(room).join(', ')} |`,
  )
  const table = ['| Room | may import | packages |', '|---|---|---|', ...rows.reverse()]
  return `${before}<!-- rooms -->\n\n${table.join('\n')}\n\n<!-- /rooms -->${after}`
}

function fileName({name}) {
  return `${name.replaceAll(' ', '-')}.md`
}

function listPage(commands, topics) {
  const row = (command) => `| [\`${command.name}\`](${fileName(command)}) | ${cell(command.summary)} |`
  const table = (rows) => ['| command | |', '|---|---|', ...rows.map(row)]
  const alone = commands.filter(({name}) => !name.includes(' '))
  const groups = Object.entries(topics).flatMap(([topic, {description}]) => [
    '',
    `## ${topic}`,
    '',
    description,
    '',
    ...table(commands.filter(({name}) => name.startsWith(`${topic} `))),
  ])
  return lines(
    '# Commands',
    '',
    `${MADE} \`envs COMMAND --help\` prints the same text.`,
    '',
    ...table(alone),
    ...groups,
  )
}

const MADE = 'Generated from the declarations of the commands by `npm run docs`.'

function commandPage({name, summary, description, usage, aliases, flags, globalFlags, examples, ...rest}) {
  return lines(
    `# envs ${name}`,
    '',
    summary,
    '',
    ...fence([`envs ${usage}`]),
    ...(description ? ['', description] : []),
    ...section(
      'Arguments',
      ['argument', ''],
      rest.arguments.map(({word, description: meaning}) => [`\`${word}\``, meaning]),
    ),
    ...section('Flags', ['flag', ''], flags.map(flagRow)),
    ...section('Flags of every command', ['flag', ''], globalFlags.map(flagRow)),
    ...['', '## Examples', '', ...fence(examples)],
    ...(aliases.length === 0 ? [] : ['', `Also: ${aliases.map((alias) => `\`envs ${alias}\``).join(', ')}.`]),
  )
}

function flagRow({form, text, variable}) {
  return [`\`${form}\``, variable ? `${text} (\`${variable}\`)` : text]
}

function section(title, head, rows) {
  if (rows.length === 0) return []
  const row = (cells) => `| ${cells.map(cell).join(' | ')} |`
  return ['', `## ${title}`, '', row(head), '|---|---|', ...rows.map(row)]
}

function fence(texts) {
  return ['```', ...texts, '```']
}

/** A bar would end the cell, in code too. */
function cell(text) {
  return text.replaceAll('|', '\\|')
}

function lines(...texts) {
  return `${texts.join('\n')}\n`
}

async function write(pages) {
  await rm(join(folder, 'commands'), {recursive: true, force: true})
  await mkdir(join(folder, 'commands'), {recursive: true})
  for (const [path, text] of Object.entries(pages)) await writeFile(join(folder, path), text)
}

/** Returns paths of pages that are missing, superfluous or different. */
async function stalePages(pages) {
  const names = await readdir(join(folder, 'commands')).catch(() => [])
  const paths = [...new Set([...names.map((name) => `commands/${name}`), ...Object.keys(pages)])].sort()
  const there = await Promise.all(
    paths.map((path) => readFile(join(folder, path), 'utf8').catch(() => undefined)),
  )
  return paths.filter((path, index) => pages[path] !== there[index])
}

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'docs')
const {manifest, pjson} = await readManifest(root)
const schema = await outputSchema()
const schemas = {'output.json': schema, 'envs-toml.json': await projectSchema()}
const pages = {
  ...allPages(manifest, pjson, schema),
  'troubleshooting.md': await errorPage(root),
  'architecture.md': withRooms(await readFile(join(folder, 'architecture.md'), 'utf8')),
}
if (process.argv[2] === '--check') {
  const stale = await stalePages(pages)
  for (const [name, made] of Object.entries(schemas)) {
    const text = await readFile(join(root, 'schemas', name), 'utf8').catch(() => '{}')
    if (!isDeepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(made))))
      stale.push(`../schemas/${name}`)
  }
  for (const path of stale) process.stderr.write(`docs/${path} is not what is declared: npm run docs\n`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  await write(pages)
  for (const [name, made] of Object.entries(schemas))
    await writeFile(join(root, 'schemas', name), `${JSON.stringify(made, undefined, 2)}\n`)
}

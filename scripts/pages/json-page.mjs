/** Makes the page docs/json.md from schemas/output.json: the output of each command with --json. */
export function jsonPage({properties, $defs}) {
  return [
    '# What --json prints',
    '',
    'Made of [schemas/output.json](../schemas/output.json) by `npm run docs`; tests hold real outputs to it. Fields are only added. Sizes are in bytes,',
    'times ISO 8601 in UTC, paths absolute. A failure prints `error` on standard output, with the [exit status](exit-codes.md) it has without `--json`.',
    ...Object.entries(properties).flatMap(([command, schema]) =>
      section(command === 'error' ? 'A failure' : `envs ${command}`, schema),
    ),
    ...['', '# Parts', '', 'Of several commands.'],
    ...Object.entries($defs).flatMap(([name, schema]) => section(name, schema)),
    '',
  ].join('\n')
}

function section(title, schema) {
  const rows = rowsOf('', schema)
  const table = rows.length === 0 ? [] : ['', '| field | type | |', '|---|---|---|', ...rows]
  return ['', `## ${title}`, '', sentence(schema), ...table]
}

function sentence(schema) {
  const parts = [schema.description, schema.type === 'object' ? undefined : `${capital(typeOf(schema))}.`]
  return parts.filter(Boolean).join(' ') || 'An object.'
}

/** Returns a row for each field, followed by those of nested objects. */
function rowsOf(path, schema) {
  const inner = withoutNull(schema)
  if (inner.type === 'array') return rowsOf(`${path}[]`, inner.items ?? {})
  return Object.entries(inner.properties ?? {}).flatMap(([name, field]) => {
    const at = path === '' || path === '[]' ? `${path}${path && '.'}${name}` : `${path}.${name}`
    return [`| \`${at}\` | ${cell(typeOf(field))} | ${cell(field.description ?? '')} |`, ...rowsOf(at, field)]
  })
}

function withoutNull(schema) {
  return schema.anyOf?.find(({type}) => type !== 'null') ?? schema
}

function typeOf(schema) {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ')
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1)
    return `[${name}](#${name.toLowerCase()})`
  }
  if (schema.enum) return schema.enum.map((value) => (value === null ? 'null' : `\`${value}\``)).join(', ')
  if (schema.format === 'date-time')
    return [schema.type]
      .flat()
      .map((type) => (type === 'string' ? 'time' : type))
      .join(' or ')
  const types = [schema.type].flat()
  return types.map((type) => (type === 'array' ? `list of ${typeOf(schema.items)}` : type)).join(' or ')
}

function capital(text) {
  return text.replace(/^[a-z]/, (letter) => letter.toUpperCase())
}

function cell(text) {
  return text.replaceAll('|', '\\|')
}

// What templates/host/complete.sh reads: what may stand on a command line, as the commands and the settings declare it.

/** What an argument of that name is; of one command alone where that comes before. Others nothing is known of. */
const ARGUMENTS = {
  file: ['file'],
  image: ['image'],
  'image:pull image': ['release'],
  images: ['kept*'],
  'keep name': ['none'],
  label: ['snapshot'],
  name: ['environment'],
  names: ['environment*'],
  'run name': ['environment', 'guest*'],
  setting: ['setting'],
  'snapshot label': ['none'],
  try: ['try'],
  'try words': ['image', 'none*'],
  value: ['value'],
}

/** What the value of a flag is. */
const FLAGS = {output: 'file', remove: 'snapshot', with: 'environment'}

/**
 * @param manifest - What the commands declare.
 * @param topics - Description by group.
 * @param settings - Pairs of a name and its definition.
 * @param sessionOptions - Those of `run`, `enter` and `try`.
 * @param catalogue - The tables of releases in templates/catalog.
 * @returns Text by name of file: lines of fields with a tab between, none empty.
 */
export function completionTables(manifest, {topics, settings, sessionOptions, catalogue}) {
  const flagValues = {...FLAGS, ...kindsOf(sessionOptions)}
  const commands = Object.values(manifest.commands).filter(({hidden}) => !hidden)
  const files = {
    commands: commandLines(commands, topics),
    releases: catalogue.flatMap(releaseLines),
    settings: settings.map(([name, {kind}]) => [name, kind.choices?.join(',') ?? '-']),
  }
  for (const command of commands) files[`command.${dotted(command.id)}`] = lineLines(command, flagValues)
  return Object.fromEntries(Object.entries(files).map(([name, lines]) => [name, textOf(lines)]))
}

function commandLines(commands, topics) {
  return [
    ...commands.map(({id, summary}) => ['c', dotted(id), summary]),
    ...Object.entries(topics).map(([name, {description}]) => ['g', name, description]),
    ...commands.flatMap(({id, aliases, hiddenAliases}) =>
      [...aliases, ...hiddenAliases].map((alias) => ['a', dotted(alias), dotted(id)]),
    ),
  ]
}

/** Arguments, flags and their short forms of one command. */
function lineLines({id, args, flags}, flagValues) {
  const takes = Object.values(args).flatMap(
    ({name, options}) =>
      (options && [`=${options.join(',')}`]) ?? ARGUMENTS[`${id} ${name}`] ?? ARGUMENTS[name] ?? ['none'],
  )
  const all = Object.values(flags).filter(({hidden}) => !hidden)
  return [
    ['t', takes.join(' ') || 'none'],
    // Before what they stand for: complete.sh reads the lines once.
    ...all.filter(({char}) => char).map(({char, name}) => ['s', `-${char}`, `--${name}`]),
    ...all.map((flag) => ['f', `--${flag.name}`, valueKind(flag, flagValues), flag.description]),
    ['f', '--help', '-', 'Show how to use it.'],
  ]
}

function kindsOf(sessionOptions) {
  return Object.fromEntries(sessionOptions.map(({name, completion}) => [name, completion ?? 'none']))
}

function valueKind({name, type, options}, flagValues) {
  if (type !== 'option') return '-'
  return options === undefined ? (flagValues[name] ?? 'none') : `=${options.join(',')}`
}

/** Newest first, for the older ones are rarely meant. */
function releaseLines(table) {
  const rows = table.trimEnd().split('\n').slice(1)
  return rows
    .map((row) => row.split(','))
    .map(([version, codename, series]) => [series, version || codename])
    .reverse()
}

/** Dots part the words of a name in the tables, for a colon may be a separator to a shell. */
function dotted(id) {
  return id.replaceAll(':', '.')
}

function textOf(lines) {
  return lines
    .map((fields) => `${fields.map((field) => field.replaceAll(/\s+/g, ' ')).join('\t')}\n`)
    .join('')
}

// Makes the tables of templates/host/complete.sh from the declarations of commands and settings.

/** Kind of an argument by name; an entry for a command takes precedence. Others are not completed. */
const ARGUMENTS = {
  client: ['environment'],
  file: ['file'],
  image: ['image'],
  'image:pull image': ['release'],
  images: ['kept*'],
  'image:show image': ['kept'],
  'keep name': ['none'],
  label: ['snapshot'],
  name: ['environment'],
  names: ['environment*'],
  'recover name': ['removed'],
  'run name': ['environment', 'guest*'],
  server: ['environment'],
  setting: ['setting'],
  'snapshot label': ['none'],
  try: ['try'],
  'try words': ['image', 'none*'],
  value: ['value'],
}

/** Kind of a flag's value. */
const FLAGS = {output: 'file', remove: 'snapshot', with: 'environment'}

/**
 * @param manifest - Declarations of the commands.
 * @param topics - Description by group.
 * @param settings - Pairs of a name and its definition.
 * @param sessionOptions - Those of `run`, `enter` and `try`.
 * @param catalogue - The tables of releases in templates/catalog.
 * @returns Text by file name: lines of fields separated by tabs, none empty.
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

/** Returns arguments, flags and short flags of one command. */
function lineLines({id, args, flags}, flagValues) {
  const takes = Object.values(args).flatMap(
    ({name, options}) =>
      (options && [`=${options.join(',')}`]) ?? ARGUMENTS[`${id} ${name}`] ?? ARGUMENTS[name] ?? ['none'],
  )
  const all = Object.values(flags).filter(({hidden}) => !hidden)
  return [
    ['t', takes.join(' ') || 'none'],
    // Before the long flags: complete.sh reads the lines once.
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

/** Newest first, because older ones are rarely used. */
function releaseLines(table) {
  const rows = table.trimEnd().split('\n').slice(1)
  return rows
    .map((row) => row.split(','))
    .map(([version, codename, series]) => [series, version || codename])
    .reverse()
}

/** Dots separate the words of a name in the tables, because a colon may be a separator in a shell. */
function dotted(id) {
  return id.replaceAll(':', '.')
}

function textOf(lines) {
  return lines
    .map((fields) => `${fields.map((field) => field.replaceAll(/\s+/g, ' ')).join('\t')}\n`)
    .join('')
}

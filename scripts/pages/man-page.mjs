import {shownCommands} from './command-text.mjs'

/**
 * Makes the manual page envs(1).
 *
 * @param exitStatuses - Meaning by status, in order.
 * @param settings - Pairs of a variable and its setting.
 * @see man(7)
 */
export function manPage(manifest, {version, description, homepage}, {exitStatuses, settings}) {
  const commands = shownCommands(manifest)
  const global = commands[0].globalFlags
  return [
    `.TH ENVS 1 "" "envs ${version}" "User Commands"`,
    '.SH NAME',
    `envs \\- ${text(description.replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    '.B envs',
    '.I COMMAND',
    '[\\fIARGUMENT\\fR...] [\\fIFLAG\\fR...]',
    '.SH DESCRIPTION',
    text(DESCRIPTION),
    '.SH COMMANDS',
    ...commands.flatMap(commandSection),
    '.SH FLAGS OF EVERY COMMAND',
    ...flagLines(global),
    '.SH EXIT STATUS',
    ...exitStatuses.flatMap(([status, meaning]) => ['.TP', `.B ${text(status)}`, text(meaning)]),
    ...['.PP', text(GUEST_STATUS)],
    '.SH ENVIRONMENT',
    ...settings.flatMap(([variable, setting]) => [
      '.TP',
      `.B ${text(variable)}`,
      text(`Takes precedence over the setting ${setting}.`),
    ]),
    ...['.TP', '.B ENVS_HOME', text('The folder for all files of envs, instead of the folders below.')],
    '.SH FILES',
    ...FILES.flatMap(([path, meaning]) => ['.TP', `.I ${text(path)}`, text(meaning)]),
    '.SH SEE ALSO',
    '.BR bwrap (1),',
    '.BR newuidmap (1),',
    '.BR user_namespaces (7)',
    ...(homepage ? [text(homepage)] : []),
    '',
  ].join('\n')
}

const DESCRIPTION = `A person without sudo gets an Ubuntu or a Debian in which they are root: apt-get, users, services. \
An environment is a tree of files of one's own that is entered by namespaces; the host stays as it is.`

const GUEST_STATUS = `envs run, enter and try end with the status of the command in the environment: 126 where it can not be \
executed, 127 where it is not there, 125 where it was not started.`

const FILES = [
  ['~/.local/share/envs', 'Environments, layers and images; in $XDG_DATA_HOME if that is set.'],
  ['~/.cache/envs', 'Caches, which can be deleted at any time; in $XDG_CACHE_HOME if that is set.'],
  ['~/.config/envs/config.json', 'Settings; in $XDG_CONFIG_HOME if that is set.'],
]

function commandSection({usage, summary, description, aliases, arguments: taken, flags, examples}) {
  return [
    `.SS envs ${text(usage)}`,
    text(summary),
    ...(description ? ['.PP', text(description)] : []),
    ...taken.flatMap(({word, description: meaning}) => ['.TP', `.I ${text(word)}`, text(meaning)]),
    ...flagLines(flags),
    ...(aliases.length === 0 ? [] : ['.PP', text(`Also: ${aliases.join(', ')}.`)]),
    ...['.PP', examples.length === 1 ? 'Example:' : 'Examples:', '.PP', '.RS 4', '.nf'],
    ...examples.map(text),
    ...['.fi', '.RE'],
  ]
}

function flagLines(flags) {
  return flags.flatMap(({form, text: meaning, variable}) => [
    '.TP',
    `.B ${text(form)}`,
    text(variable ? `${meaning} (${variable})` : meaning),
  ])
}

/** Escapes text: a hyphen must not be broken at or become a dash, and a line may begin with a dot. */
function text(plain) {
  return plain
    .replaceAll(/\s+/g, ' ')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/, '\\&$1')
}

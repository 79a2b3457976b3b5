// Descriptions of commands, for the manual page and the pages of docs/commands.

/** Returns the visible commands, by name. */
export function shownCommands({commands}) {
  return Object.values(commands)
    .filter(({hidden}) => !hidden)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((command) => describe(command))
}

function describe({id, args, strict, flags, summary, description, examples, aliases, hiddenAliases, usage}) {
  const name = words(id)
  const taken = Object.values(args).map((argument) => ({
    ...argument,
    word: argument.name.replaceAll(/[A-Z]/g, (letter) => `-${letter}`).toUpperCase(),
  }))
  const shown = Object.values(flags).filter(({hidden}) => !hidden)
  return {
    name,
    summary,
    description,
    usage: usage ?? usageOf(name, taken, {isStrict: strict}),
    aliases: [...aliases, ...hiddenAliases].map(words).sort(),
    arguments: taken,
    flags: shown.filter(({helpGroup}) => helpGroup !== 'GLOBAL').map(describeFlag),
    globalFlags: shown.filter(({helpGroup}) => helpGroup === 'GLOBAL').map(describeFlag),
    examples: examples.map((example) =>
      example.replaceAll('<%= config.bin %>', 'envs').replaceAll('<%= command.id %>', name),
    ),
  }
}

function usageOf(name, taken, {isStrict}) {
  const places = taken.map(({word, required}) => (required ? word : `[${word}]`))
  return [name, ...places, ...(isStrict ? [] : ['...']), '[FLAG...]'].join(' ')
}

function describeFlag({char, name, allowNo, type, options, helpValue, description, env, multiple}) {
  const value = type === 'option' ? (options?.join('|') ?? helpValue ?? 'VALUE') : undefined
  const long = `--${allowNo ? '[no-]' : ''}${name}`
  return {
    name,
    form: [[char && `-${char}`, long].filter(Boolean).join(', '), value].filter(Boolean).join(' '),
    variable: env,
    text: [description, multiple && 'may be given more than once'].filter(Boolean).join('; '),
  }
}

function words(id) {
  return id.replaceAll(':', ' ')
}

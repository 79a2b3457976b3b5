/** What is declared of a flag, as far as {@link parsePlainLine} looks at it. */
type FlagDeclaration = Readonly<Record<string, unknown>> & {readonly type: 'boolean' | 'option'}

type ArgumentDeclaration = Readonly<Record<string, unknown>>

export type LineDeclarations = {
  readonly args: Readonly<Record<string, ArgumentDeclaration>>
  readonly flags: Readonly<Record<string, FlagDeclaration>>
  /** Whether an argument that nobody declared is a mistake. */
  readonly strict: boolean
}

/** What the library's parser returns for the same line. */
export type PlainLine = {
  readonly args: Readonly<Record<string, unknown>>
  readonly argv: readonly unknown[]
  readonly flags: Readonly<Record<string, unknown>>
}

/** Whatever else is declared means something that only the library knows. */
const KNOWN_OF_FLAGS: ReadonlySet<string> = new Set([
  ...[
    'name',
    'type',
    'parse',
    'input',
    'multiple',
    'multipleNonGreedy',
    'allowNo',
    'options',
    'default',
    'env',
  ],
  ...['char', 'description', 'summary', 'hidden', 'helpGroup', 'helpValue', 'helpLabel', 'min', 'max'],
])

const KNOWN_OF_ARGUMENTS: ReadonlySet<string> = new Set([
  ...['name', 'type', 'parse', 'input', 'options', 'description', 'hidden', 'required', 'ignoreStdin'],
])

/** The words that turn a flag on where they stand in its variable. */
const TRUE_WORDS: readonly string[] = ['1', 'true', 'y', 'yes']

/** The line is none that this parser is sure of. */
class NotPlain extends Error {}

/**
 * Parses the lines that people mean to type as the command library does, without loading it.
 *
 * @returns undefined for a line with a mistake in it, or anything unusual: the library then says what it is.
 */
export async function parsePlainLine(
  argv: readonly string[],
  declarations: LineDeclarations,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<PlainLine | undefined> {
  try {
    insist(isKnown(declarations))
    const {given, words} = readTokens(argv, declarations)
    const {args, argv: values} = await readArguments(words, declarations, argv)
    return {args, argv: values, flags: await readFlags(given, declarations, environment)}
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

function insist(condition: boolean): asserts condition {
  if (!condition) throw new NotPlain()
}

function isKnown({args, flags}: LineDeclarations): boolean {
  return (
    Object.values(flags).every((flag) => {
      const isGreedy = flag['multiple'] === true && flag['multipleNonGreedy'] !== true
      const isSimple = flag['allowNo'] !== true && typeof flag['default'] !== 'function' && !isGreedy
      return isSimple && Object.keys(flag).every((key) => KNOWN_OF_FLAGS.has(key))
    }) &&
    Object.values(args).every(
      (argument) =>
        argument['ignoreStdin'] === true && Object.keys(argument).every((key) => KNOWN_OF_ARGUMENTS.has(key)),
    )
  )
}

type Tokens = {
  /** By the name of the flag, what was typed of it; empty strings for one without a value. */
  readonly given: ReadonlyMap<string, string[]>
  readonly words: readonly string[]
}

function readTokens(argv: readonly string[], {flags}: LineDeclarations): Tokens {
  const given = new Map<string, string[]>()
  const words: string[] = []
  const rest = [...argv]
  for (let token = rest.shift(); token !== undefined; token = rest.shift()) {
    if (token === '--') {
      words.push(...rest)
      break
    }
    if (!token.startsWith('-') || token === '-') {
      words.push(token)
      continue
    }
    const {name, value, others} = splitFlag(token, flags)
    const isBoolean = flags[name]?.type === 'boolean'
    insist(!isBoolean || value === undefined)
    if (others !== undefined) rest.unshift(others)
    given.set(name, [...(given.get(name) ?? []), isBoolean ? '' : valueIn(value ?? rest.shift())])
  }
  return {given, words}
}

/** `--name`, `--name=VALUE`, `-n`, `-nVALUE`, `-n=VALUE`, and `-ab` for two flags without a value. */
function splitFlag(
  token: string,
  flags: LineDeclarations['flags'],
): {name: string; value?: string | undefined; others?: string | undefined} {
  if (token.startsWith('--')) {
    const [, name = '', value] = /^--(?<name>[^=]*)(?:=(?<value>[\s\S]*))?$/.exec(token) ?? []
    insist(Object.hasOwn(flags, name))
    return {name, value}
  }
  const [name] = Object.entries(flags).find(([, flag]) => flag['char'] === token[1]) ?? []
  insist(name !== undefined)
  const following = token.slice(2)
  if (following === '') return {name}
  if (flags[name]?.type === 'boolean') return {name, others: `-${following}`}
  return {name, value: following.startsWith('=') ? following.slice(1) : following}
}

/** What begins like a flag may be the next flag, whose value was forgotten. */
function valueIn(text: string | undefined): string {
  insist(text !== undefined && (!text.startsWith('-') || text === '-'))
  return text
}

async function readArguments(
  words: readonly string[],
  {args: declared, strict}: LineDeclarations,
  argv: readonly string[],
): Promise<Pick<PlainLine, 'args' | 'argv'>> {
  const declarations = Object.entries(declared)
  insist(!strict || words.length <= declarations.length)
  // The library orders them by where the same text first stands in the line.
  insist(words.every((word) => argv.indexOf(word) === argv.lastIndexOf(word)))
  const args: Record<string, unknown> = {}
  for (const [index, [name, declaration]] of declarations.entries()) {
    const word = words[index]
    insist(word !== undefined || declaration['required'] !== true)
    if (word !== undefined) args[name] = await readValue(word, declaration)
  }
  return {args, argv: [...Object.values(args), ...words.slice(declarations.length)]}
}

async function readFlags(
  given: Tokens['given'],
  {flags: declared}: LineDeclarations,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<PlainLine['flags']> {
  const flags: Record<string, unknown> = {}
  for (const [name, declaration] of Object.entries(declared)) {
    const value = await readFlag(given.get(name), declaration, environment)
    if (value !== undefined) flags[name] = value
  }
  return flags
}

async function readFlag(
  texts: readonly string[] | undefined,
  declaration: FlagDeclaration,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<unknown> {
  const variable = declaration['env']
  const fromVariable = typeof variable === 'string' ? environment[variable] : undefined
  if (declaration.type === 'boolean') {
    if (texts !== undefined) return true
    return fromVariable ? TRUE_WORDS.includes(fromVariable.toLowerCase()) : declaration['default']
  }
  if (texts === undefined) {
    insist(!fromVariable)
    return declaration['default']
  }
  if (declaration['multiple'] === true) return Promise.all(texts.map((text) => readValue(text, declaration)))
  insist(texts.length === 1)
  return readValue(texts[0] ?? '', declaration)
}

async function readValue(text: string, declaration: ArgumentDeclaration): Promise<unknown> {
  const {options, parse} = declaration
  insist(options === undefined || (Array.isArray(options) && options.includes(text)))
  insist(typeof parse === 'function')
  try {
    return await parse(text, {}, declaration)
  } catch (cause) {
    throw new NotPlain('a value that is not allowed', {cause})
  }
}

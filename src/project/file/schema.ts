import * as v from 'valibot'

/*
 * The schema of envs.toml: the types of the program, the check of a file, and (through `npm run docs`) schemas/envs-toml.json for
 * editors. Names are closed: a misspelt key is an error, and a file of a newer version is refused.
 */

/** The version of the format that this build reads. */
export const FORMAT_VERSION = 1

const text = (pattern: RegExp, allowed: string) => v.pipe(v.string(), v.regex(pattern, allowed))
const line = text(/^\P{Cc}+$/u, 'one line of text')
const name = text(/^[a-z0-9][a-z0-9-]{0,31}$/, 'a name of small letters, digits and dashes, at most 32')
const inside = v.pipe(
  text(/^\/[^\0]*$/, 'an absolute path in the environment'),
  v.check((path) => !hasDots(path), 'an absolute path in the environment without "." and ".."'),
)
const ofProject = v.pipe(
  text(/^[^/\0][^\0]*$/, 'a path below the folder of the file'),
  v.check((path) => !path.split('/').includes('..'), 'a path below the folder of the file, without ".."'),
)
const variables = v.record(
  text(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of a variable'),
  text(/^[^\0]*$/, 'a text without the character NUL'),
)
const account = text(/^[a-z_][a-z0-9_-]{0,31}$/, 'the name of a user')
const packageName = text(
  /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[0-9][A-Za-z0-9.+:~-]*)?$/,
  'a package, as name, name:architecture or name=version',
)
const word = text(/^[a-z0-9][a-z0-9+./-]*$/, 'a word of small letters, digits, +, . and -')
const bytes = text(/^[1-9]\d*[KMGT]$/, 'a size such as 512M or 4G')
const wholeNumber = v.pipe(v.number(), v.integer('a whole number'), v.minValue(1, 'at least 1'))
const shell = v.pipe(
  text(/^[^\0]+$/, 'a shell command'),
  v.check((code) => code.trim() !== '', 'a shell command'),
)
const architecture = v.picklist(
  ['amd64', 'arm64', 'armhf', 'i386', 'loong64', 'ppc64el', 'riscv64', 's390x'],
  'an architecture of dpkg, such as amd64 or arm64',
)

const sourceSchema = v.strictObject({
  uri: text(/^https?:\/\/[^\s@]+$/, 'an http or https URL without a user'),
  suite: word,
  components: v.optional(v.pipe(v.array(word), v.minLength(1, 'at least one')), ['main']),
  key: ofProject,
  fingerprint: v.exactOptional(text(/^[0-9A-F]{40}$/, 'a fingerprint of 40 hexadecimal digits, in capitals')),
  pin: v.exactOptional(v.pipe(v.number(), v.integer('a whole number'))),
})

const userSchema = v.strictObject({
  name: account,
  uid: v.exactOptional(v.union([v.literal('host'), wholeNumber], '"host" or a whole number')),
  groups: v.optional(v.array(account), []),
  shell: v.optional(inside, '/bin/sh'),
})

const fileSchema = v.pipe(
  v.strictObject({
    from: v.exactOptional(ofProject),
    text: v.exactOptional(v.string()),
    to: inside,
    mode: v.exactOptional(text(/^0[0-7]{3,4}$/, 'a mode in octal, such as "0644"')),
    owner: v.optional(
      text(/^[a-z_0-9][a-z0-9_-]*(:[a-z_0-9][a-z0-9_-]*)?$/, 'USER or USER:GROUP'),
      'root:root',
    ),
  }),
  v.check(
    ({from, text}) => (from === undefined) !== (text === undefined),
    'a table with either "from" or "text"',
  ),
)

const stepSchema = v.strictObject({
  run: shell,
  user: v.optional(account, 'root'),
  env: v.optional(variables, {}),
  needs: v.optional(v.array(ofProject), []),
  at: v.optional(inside, '/build'),
  network: v.optional(v.boolean(), false),
  cache: v.optional(v.array(inside), []),
})

const volumeSchema = v.strictObject({
  from: line,
  to: inside,
  readonly: v.optional(v.boolean(), false),
})

const serviceSchema = v.strictObject({
  run: shell,
  user: v.optional(account, 'root'),
  ready: v.exactOptional(shell),
  after: v.optional(v.array(name), []),
})

const environmentEntries = {
  extends: v.exactOptional(name),
  image: v.exactOptional(line),
  arch: v.exactOptional(v.pipe(v.array(architecture), v.minLength(1, 'at least one'))),
  variant: v.exactOptional(v.picklist(['minbase', 'standard'], '"minbase" or "standard"')),
  components: v.exactOptional(v.array(word)),
  packages: v.exactOptional(v.array(packageName)),
  recommends: v.exactOptional(v.boolean()),
  sources: v.exactOptional(v.array(sourceSchema)),
  users: v.exactOptional(v.array(userSchema)),
  files: v.exactOptional(v.array(fileSchema)),
  steps: v.exactOptional(v.array(stepSchema)),
  env: v.exactOptional(variables),
  user: v.exactOptional(account),
  project: v.exactOptional(
    v.union([v.literal(false), inside], 'false or an absolute path in the environment'),
  ),
  ttl: v.exactOptional(text(/^[1-9]\d*[hdw]$/, 'a time such as 12h, 14d or 2w')),
  volumes: v.exactOptional(v.array(volumeSchema)),
  ports: v.exactOptional(
    v.array(
      text(/^(\d+\.\d+\.\d+\.\d+:)?\d+:\d+$/, 'a port, as PORT:PORT_INSIDE or ADDRESS:PORT:PORT_INSIDE'),
    ),
  ),
  limits: v.exactOptional(
    v.strictObject({
      memory: v.exactOptional(bytes),
      cpus: v.exactOptional(v.pipe(v.number(), v.gtValue(0, 'more than 0'))),
      processes: v.exactOptional(wholeNumber),
    }),
  ),
  services: v.exactOptional(v.record(name, serviceSchema)),
  hooks: v.exactOptional(v.strictObject({created: v.exactOptional(shell), entered: v.exactOptional(shell)})),
}

const environmentSchema = v.strictObject(environmentEntries)

export const projectSchema = v.strictObject({
  version: v.literal(FORMAT_VERSION),
  default: v.exactOptional(name),
  env: v.optional(v.record(name, environmentSchema), {}),
})

type DeepReadonly<T> = T extends string | number | boolean | undefined
  ? T
  : {readonly [Key in keyof T]: DeepReadonly<T[Key]>}

/** A whole file, as written. */
export type ProjectTables = DeepReadonly<v.InferOutput<typeof projectSchema>>
/** A table `env.NAME` as written, before `extends`. */
export type EnvironmentTable = DeepReadonly<v.InferOutput<typeof environmentSchema>>
export type StepTable = DeepReadonly<v.InferOutput<typeof stepSchema>>
export type FileTable = DeepReadonly<v.InferOutput<typeof fileSchema>>
export type UserTable = DeepReadonly<v.InferOutput<typeof userSchema>>
export type SourceTable = DeepReadonly<v.InferOutput<typeof sourceSchema>>

function hasDots(path: string): boolean {
  return path.split('/').some((part) => part === '.' || part === '..')
}

import {didYouMean} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {unknownSettingError} from './errors.js'

/** All settings and their types; undefined if there is no default. */
export type SettingValues = {
  'mirrors.ubuntuBase': string
  'mirrors.ubuntuCloud': string
  'mirrors.ubuntuArchive': string | undefined
  'mirrors.debianArchive': string | undefined
  'mirrors.debianSecurity': string | undefined
  'mirrors.lxc': string
  keyrings: readonly string[]
  defaultImage: string | undefined
  imageCheck: 'daily' | 'always'
  identity: 'auto' | 'mapped' | 'emulated'
  engine: 'auto' | 'bwrap' | 'unshare' | 'proot'
  networkTool: 'auto' | 'pasta' | 'slirp4netns'
  storage: 'auto' | 'overlay' | 'directory'
  durable: 'auto' | 'always' | 'never'
  diskBudget: string | undefined
  trashTime: string
  trashSize: string
  tryMemory: string | undefined
  'registries.mirrors': readonly string[]
  'registries.insecure': readonly string[]
  'registries.certificates': string | undefined
  'registries.trust': string | undefined
  'registries.trustedRoot': string | undefined
}

export type SettingName = keyof SettingValues

export type SettingDefinition<Value> = {
  readonly variable: `ENVS_${string}`
  readonly kind: SettingKind<Exclude<Value, undefined>>
  readonly builtIn: Value
}

/** The kind of a setting: how its values are typed, and stored in the file. */
export type SettingKind<Value> = {
  /** Completes "must be …". */
  readonly allowed: string
  /** Parses a value from a command line or a variable; undefined if it is invalid. */
  readonly parseText: (text: string) => Value | undefined
  /** Parses a value from the file's JSON; undefined if it is invalid. */
  readonly parseJson: (json: unknown) => Value | undefined
  /** All values of an enumeration. */
  readonly choices?: readonly Value[]
  /** Between the entries of a list on a command line. Default: `:`. */
  readonly separator?: string
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const UNPRINTABLE = /[\s\u0000-\u001f\u007f]/

/** The URL of a mirror; stored without a slash at its end. */
export const folderUrl: SettingKind<string> = fromText(
  'an http or https URL of a folder, without ? and #',
  (text) => {
    if (UNPRINTABLE.test(text) || /[?#]/.test(text) || !URL.canParse(text)) return undefined
    const {protocol} = new URL(text)
    return protocol === 'http:' || protocol === 'https:' ? text.replace(/\/+$/, '') : undefined
  },
)

/** An image reference; whether the image exists is not checked here. */
export const imageReference: SettingKind<string> = fromText(
  'an image, such as noble or debian:trixie',
  (text) => (text === '' || UNPRINTABLE.test(text) ? undefined : text),
)

/** A keyring, and the URL of the folder whose content its keys may sign; without a slash at its end. */
type ScopedKeyring = {readonly below: string; readonly path: string}

/** Entries `URL=PATH`; separated by `:` on a command line, a list in the file. {@link scopedKeyrings} parses them. */
export const keyringList: SettingKind<readonly string[]> = {
  allowed:
    'entries URL=PATH separated by :, each the URL of a mirror and the file of the keys that may sign what it serves, such as https://apt.example.org/debian=/home/you/keys/team.asc',
  parseText: (text) => allScoped(text.split(/:(?=https?:\/\/|$)/).filter((entry) => entry !== '')),
  parseJson: (json) => (isStringList(json) ? allScoped(json) : undefined),
}

/** Parses the entries of a keyring list. @param entries - A value of {@link keyringList}. */
export function scopedKeyrings(entries: readonly string[]): ScopedKeyring[] {
  return entries.flatMap((entry) => parseScoped(entry) ?? [])
}

/** A mirror of a container registry; `folder` has no slash at its end. */
export type RegistryMirror = {readonly host: string; readonly folder: string}

const REGISTRY_HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

/** Entries `HOST=URL`; separated by `,`, because hosts and URLs have colons. {@link registryMirrors} parses them. */
const mirrorList = listOf(
  'entries HOST=URL separated by commas, each a registry and the URL of a mirror of it, such as docker.io=https://mirror.example',
  (entry) => {
    const {host = '', url = ''} = /^(?<host>[^=]*)=(?<url>.*)$/s.exec(entry)?.groups ?? {}
    const folder = folderUrl.parseText(url)
    if (folder === undefined || !REGISTRY_HOST.test(host)) return undefined
    // Credentials of a mirror stand where those of registries do.
    return new URL(folder).username === '' ? `${host}=${folder}` : undefined
  },
)

/** Parses the entries of a list of mirrors. @param entries - A value of {@link mirrorList}. */
export function registryMirrors(entries: readonly string[]): RegistryMirror[] {
  return entries.map((entry) => {
    const [host = '', ...url] = entry.split('=')
    return {host, folder: url.join('=')}
  })
}

const hostList = listOf(
  'hosts separated by commas, each HOST or HOST:PORT, such as localhost:5000',
  (entry) => (REGISTRY_HOST.test(entry) ? entry : undefined),
)

const absoluteFolder: SettingKind<string> = fromText('the absolute path of a folder', (text) =>
  text.startsWith('/') && !text.includes('\0') ? text : undefined,
)

const absoluteFile: SettingKind<string> = fromText('the absolute path of a file', (text) =>
  absoluteFolder.parseText(text),
)

/** A policy is either in a file, or is written here; src/registry/trust reads it. */
const trustPolicy: SettingKind<string> = {
  allowed: 'the absolute path of a policy file, or a policy as JSON, such as {"default":[{"type":"reject"}]}',
  parseText: (text) => (isJsonObject(text) ? text : absoluteFile.parseText(text)),
  parseJson: (json) =>
    typeof json === 'string'
      ? trustPolicy.parseText(json)
      : typeof json === 'object' && json !== null && !Array.isArray(json)
        ? JSON.stringify(json)
        : undefined,
}

function isJsonObject(text: string): boolean {
  try {
    return text.trimStart().startsWith('{') && JSON.parse(text) !== null
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** A list whose entries are separated by commas on a command line. */
function listOf(
  allowed: string,
  parseEntry: (entry: string) => string | undefined,
): SettingKind<readonly string[]> {
  const parseAll = (entries: readonly string[]) => {
    const parsed = entries.flatMap((entry) => parseEntry(entry) ?? [])
    return parsed.length === entries.length ? parsed : undefined
  }
  return {
    allowed,
    separator: ',',
    parseText: (text) => parseAll(text.split(',').filter((entry) => entry !== '')),
    parseJson: (json) => (isStringList(json) ? parseAll(json) : undefined),
  }
}

const BYTES = /^(?<count>\d{1,6})(?<unit>[kMGT])B?$/

/** Stored as typed; {@link bytesOf} parses it. */
export const byteSize: SettingKind<string> = fromText('a size, such as 500M or 20G', (text) =>
  BYTES.test(text) ? text : undefined,
)

/** Returns the bytes of a size, in powers of ten. @param size - A value of {@link byteSize}. */
export function bytesOf(size: string): number {
  const {count, unit = ''} = BYTES.exec(size)?.groups ?? {}
  return Number(count) * 1000 ** ('kMGT'.indexOf(unit) + 1)
}

const SHARE = /^(?<percent>\d{1,2}|100)%$/

/** Stored as typed; {@link bytesOfDisk} parses it. */
const sizeOrShare: SettingKind<string> = fromText(
  'a size, such as 500M or 20G, or a share of the disk, such as 10%',
  (text) => (BYTES.test(text) || SHARE.test(text) ? text : undefined),
)

/** Returns the bytes of a size, or of a share of a disk. @param size - A value of {@link sizeOrShare}. */
export function bytesOfDisk(size: string, diskBytes: number): number {
  const {percent} = SHARE.exec(size)?.groups ?? {}
  return percent === undefined ? bytesOf(size) : (diskBytes * Number(percent)) / 100
}

const DURATION = /^(?<count>\d{1,5})(?<unit>[hdw])$/
const UNIT_HOURS: Readonly<Record<string, number>> = {h: 1, d: 24, w: 7 * 24}

/** Stored as typed; {@link millisecondsOf} parses it. */
const duration: SettingKind<string> = fromText(
  'a time in hours, days or weeks, such as 12h, 3d or 2w',
  (text) => (DURATION.test(text) ? text : undefined),
)

/** Returns the length of a time. @param text - A value of {@link duration}. */
export function millisecondsOf(text: string): number {
  const {count, unit = 'h'} = DURATION.exec(text)?.groups ?? {}
  return Number(count) * (UNIT_HOURS[unit] ?? 0) * 3_600_000
}

export function choice<const Option extends string>(...options: readonly Option[]): SettingKind<Option> {
  const kind = fromText(`one of: ${options.join(', ')}`, (text) => options.find((option) => option === text))
  return {...kind, choices: options}
}

function fromText<Value>(
  allowed: string,
  parseText: (text: string) => Value | undefined,
): SettingKind<Value> {
  return {
    allowed,
    parseText,
    parseJson: (json) => (typeof json === 'string' ? parseText(json) : undefined),
  }
}

function allScoped(entries: readonly string[]): readonly string[] | undefined {
  const parsed = scopedKeyrings(entries)
  return parsed.length === entries.length ? parsed.map(({below, path}) => `${below}=${path}`) : undefined
}

function parseScoped(entry: string): ScopedKeyring | undefined {
  const {url = '', path = ''} = /^(?<url>\S+?)=(?<path>\/[^\0]*)$/.exec(entry)?.groups ?? {}
  const below = folderUrl.parseText(url)
  return below === undefined ? undefined : {below, path}
}

function isStringList(json: unknown): json is string[] {
  return Array.isArray(json) && json.every((item) => typeof item === 'string')
}

/** The table of settings, with kind and default. */
export const SETTINGS: {readonly [Name in SettingName]: SettingDefinition<SettingValues[Name]>} = {
  'mirrors.ubuntuBase': {
    variable: 'ENVS_MIRROR_UBUNTU_BASE',
    kind: folderUrl,
    builtIn: 'https://cdimage.ubuntu.com/ubuntu-base',
  },
  'mirrors.ubuntuCloud': {
    variable: 'ENVS_MIRROR_UBUNTU_CLOUD',
    kind: folderUrl,
    builtIn: 'https://cloud-images.ubuntu.com',
  },
  // APT mirrors depend on the architecture, the age of the release and the host, so their default is chosen
  // elsewhere.
  'mirrors.ubuntuArchive': {variable: 'ENVS_MIRROR_UBUNTU_ARCHIVE', kind: folderUrl, builtIn: undefined},
  'mirrors.debianArchive': {variable: 'ENVS_MIRROR_DEBIAN_ARCHIVE', kind: folderUrl, builtIn: undefined},
  'mirrors.debianSecurity': {variable: 'ENVS_MIRROR_DEBIAN_SECURITY', kind: folderUrl, builtIn: undefined},
  'mirrors.lxc': {
    variable: 'ENVS_MIRROR_LXC',
    kind: folderUrl,
    builtIn: 'https://images.linuxcontainers.org',
  },
  keyrings: {variable: 'ENVS_KEYRINGS', kind: keyringList, builtIn: []},
  defaultImage: {variable: 'ENVS_IMAGE', kind: imageReference, builtIn: undefined},
  imageCheck: {variable: 'ENVS_IMAGE_CHECK', kind: choice('daily', 'always'), builtIn: 'daily'},
  identity: {
    variable: 'ENVS_IDENTITY',
    kind: choice('auto', 'mapped', 'emulated'),
    builtIn: 'auto',
  },
  engine: {
    variable: 'ENVS_ENGINE',
    kind: choice('auto', 'bwrap', 'unshare', 'proot'),
    builtIn: 'auto',
  },
  networkTool: {
    variable: 'ENVS_NETWORK_TOOL',
    kind: choice('auto', 'pasta', 'slirp4netns'),
    builtIn: 'auto',
  },
  storage: {
    variable: 'ENVS_STORAGE',
    kind: choice('auto', 'overlay', 'directory'),
    builtIn: 'auto',
  },
  durable: {
    variable: 'ENVS_DURABLE',
    kind: choice('auto', 'always', 'never'),
    builtIn: 'auto',
  },
  diskBudget: {variable: 'ENVS_DISK_BUDGET', kind: byteSize, builtIn: undefined},
  trashTime: {variable: 'ENVS_TRASH_TIME', kind: duration, builtIn: '3d'},
  trashSize: {variable: 'ENVS_TRASH_SIZE', kind: sizeOrShare, builtIn: '20%'},
  tryMemory: {variable: 'ENVS_TRY_MEMORY', kind: byteSize, builtIn: undefined},
  'registries.mirrors': {variable: 'ENVS_REGISTRIES_MIRRORS', kind: mirrorList, builtIn: []},
  'registries.insecure': {variable: 'ENVS_REGISTRIES_INSECURE', kind: hostList, builtIn: []},
  'registries.certificates': {
    variable: 'ENVS_REGISTRIES_CERTIFICATES',
    kind: absoluteFolder,
    builtIn: undefined,
  },
  'registries.trust': {variable: 'ENVS_REGISTRIES_TRUST', kind: trustPolicy, builtIn: undefined},
  'registries.trustedRoot': {
    variable: 'ENVS_REGISTRIES_TRUSTED_ROOT',
    kind: absoluteFile,
    builtIn: undefined,
  },
}

/** Returns the names of the settings in the order of the table. */
export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS).filter(isSettingName)
}

/** @throws {@link unknownSettingError} */
export function parseSettingName(text: string): SettingName {
  if (isSettingName(text)) return text
  throw unknownSettingError({name: text}, {hints: didYouMean(nearestNames(text, settingNames()))})
}

function isSettingName(text: string): text is SettingName {
  return Object.hasOwn(SETTINGS, text)
}
